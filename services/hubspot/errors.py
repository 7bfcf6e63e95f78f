"""HubSpot's error answers, by what the caller does next. Decided by status, category and codes, never by wording;
the one exception is the text that names the holder of a unique value, because nothing else does.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from services.crm import CrmError, Denied, Gone, Refused, Rejected, Taken, Unavailable, Unclear, WriteResult
from services.transport import Answer

HOLDER = re.compile(r"(\d+) already has that value")
EXISTING = re.compile(r"Existing ID: (\d+)")
PROPERTY_OF = re.compile(r"propertyName=([A-Za-z0-9_]+)")


def whole_call(answer: Answer) -> CrmError:
    """The exception for a call that failed as a whole."""
    category = _text(answer.body, "category")
    if answer.status in (401, 403):
        return Denied(f"HubSpot answered {answer.status} {category}")
    if answer.status >= 500:
        return Unavailable(f"HubSpot answered {answer.status}")
    return Refused(f"HubSpot answered {answer.status} {category}")


def _text(body: Any, key: str) -> str:
    return str(body.get(key, "")) if isinstance(body, dict) else ""


def bad_properties(error: Any) -> dict[str, str]:
    """The properties that an error names, with HubSpot's code for each."""
    found: dict[str, str] = {}
    for entry in error.get("errors") or []:
        named = (entry.get("context") or {}).get("propertyName") or []
        for name in [named] if isinstance(named, str) else named:
            found[name] = str(entry.get("code", "VALIDATION_ERROR"))
    return found or _embedded(str(error.get("message", "")))


def _embedded(message: str) -> dict[str, str]:
    """The same, from the JSON array that the message of a validation error carries."""
    start = message.find("[")
    try:
        rows = msgspec.json.decode(message[start:]) if start >= 0 else []
    except msgspec.DecodeError:
        return {}
    return {str(row["name"]): str(row.get("error", "")) for row in rows if isinstance(row, dict) and "name" in row}


def of_record(ref: int, error: Any) -> WriteResult:
    """The result for one record of a batch, from its error row or from the error of a call with this record alone."""
    category, message = str(error.get("category", "")), str(error.get("message", ""))
    context = error.get("context") or {}
    if category == "OBJECT_NOT_FOUND":
        return Gone(ref=ref)
    taken = _taken(ref, category, message, context)
    if taken is not None:
        return taken
    bad = bad_properties(error)
    if bad:
        return Rejected(ref=ref, reason=", ".join(f"{name}: {code}" for name, code in bad.items()), fields=bad)
    if category == "VALIDATION_ERROR":
        return Rejected(ref=ref, reason=_code(error))
    return Unclear(ref=ref, reason=category or "unknown")


def _taken(ref: int, category: str, message: str, context: dict[str, Any]) -> Taken | None:
    holder = HOLDER.search(message)
    if holder:
        named = PROPERTY_OF.search(message)
        return Taken(ref=ref, field=named.group(1) if named else "", holder_id=holder.group(1))
    if category in ("CONFLICT", "OBJECT_ALREADY_EXISTS"):
        ids = context.get("existingId") or EXISTING.findall(message)
        return Taken(ref=ref, field="email", holder_id=str(ids[0]) if ids else "")
    return None


def _code(error: Any) -> str:
    codes = [str(entry.get("code")) for entry in error.get("errors") or [] if entry.get("code")]
    return ", ".join(codes) or "VALIDATION_ERROR"
