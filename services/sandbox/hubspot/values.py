"""Which values a property accepts, how HubSpot stores them, and how events carry them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from services.sandbox.hubspot.definitions import Definition

EMAIL = re.compile(r"[^@\s,;<>]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
NUMBER = re.compile(r"-?\d*\.?\d+([eE][+-]?\d+)?")
EPOCH = re.compile(r"-?\d+")
LONGEST = 65_536
DAY_MS = 86_400_000

Refusal = tuple[str, str]
"""(code, message)"""


def refusal(definition: Definition | None, name: str, value: Any) -> Refusal | None:
    """Why a value is refused; None when it is fine."""
    if definition is None:
        return "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
    if definition.calculated:
        return "READ_ONLY_VALUE", f'"{name}" is a calculated property; its value cannot be set.'
    if definition.read_only:
        return "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
    text = _text(value)
    if not text.strip():
        return None
    if len(text) > LONGEST:
        return "PROPERTY_VALUE_TOO_LONG", f"{name} is longer than {LONGEST} characters"
    if name == "email":
        return _email_refusal(text.strip())
    return _type_refusal(definition, text)


def _email_refusal(text: str) -> Refusal | None:
    if EMAIL.fullmatch(text) and not text.lower().endswith(".test"):
        return None
    return "INVALID_EMAIL", f"Email address {text} is invalid"


def _type_refusal(definition: Definition, text: str) -> Refusal | None:
    name = definition.name
    match definition.type:
        case "enumeration" if definition.options:
            wrong = [one for one in _chosen(definition, text) if one not in definition.allowed]
            if wrong:
                return "INVALID_OPTION", f"{wrong[0]} was not one of the allowed options: {definition.allowed}"
        case "number" if not NUMBER.fullmatch(text.strip()):
            return "INVALID_INTEGER", f"{name} was not a valid number."
        case "bool" if text.strip().lower() not in ("true", "false"):
            return "INVALID_OPTION", f"{text} was not one of the allowed options: ['true', 'false']"
        case "datetime" if _moment_ms(text) is None:
            return "INVALID_LONG", f"{text} was not a valid long."
        case "date" if (ms := _moment_ms(text)) is None or ms % DAY_MS:
            return "INVALID_DATE", f"{text} was not a valid date."
    return None


def _chosen(definition: Definition, text: str) -> list[str]:
    if definition.field_type != "checkbox":
        return [text]
    return [one for one in text.split(";") if one]


def stored(definition: Definition, raw: Any, before: str) -> str:
    """A valid value as HubSpot keeps it, after the value ``before``. "" clears."""
    text = _text(raw)
    if not text.strip():
        return ""
    match definition.type:
        case "enumeration":
            return _choice(definition, text, before)
        case "bool":
            return text.strip().lower()
        case "datetime":
            return iso(_moment_ms(text) or 0)
        case "date":
            return iso(_moment_ms(text) or 0)[:10]
    if definition.name == "email":
        return text.strip().lower()
    if definition.name == "domain":
        return domain_of(text)
    return text.strip()


def _choice(definition: Definition, text: str, before: str) -> str:
    """A choice; several are appended when they begin with a semicolon."""
    if definition.field_type != "checkbox":
        return text
    kept = before.split(";") if text.startswith(";") and before else []
    return ";".join(dict.fromkeys([*kept, *_chosen(definition, text)]))


def on_the_wire(definition: Definition, value: str) -> str:
    """A value as an event carries it: dates and date-times in ms since 1970 (seen in the wild)."""
    if value and definition.type in ("date", "datetime"):
        return str(_moment_ms(value))
    return value


def domain_of(text: str) -> str:
    """The domain of a web address."""
    host = re.sub(r"^[a-z]+://", "", text.strip().lower())
    return re.split(r"[/?#:]", host)[0].removeprefix("www.")


def iso(ms: int) -> str:
    """A date-time; the fraction is missing when it is zero."""
    moment = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1000:03d}Z" if ms % 1000 else f"{moment}Z"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _moment_ms(text: str) -> int | None:
    """An ISO date, an ISO date-time or ms since 1970 as ms; None for anything else."""
    text = text.strip()
    if EPOCH.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == 10:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days * DAY_MS
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def moment_ms(text: str) -> int:
    """The same for text that is known to be a date. Raises ValueError."""
    found = _moment_ms(text)
    if found is None:
        raise ValueError(f"{text} is not a date")
    return found
