"""Search filters: what each operator accepts (CRM search guide)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from services.sandbox.hubspot.answers import invalid
from services.sandbox.hubspot.definitions import Definition

Sortable = tuple[int, float, str]
Test = Callable[[str | None, Mapping[str, Any], Definition], bool]
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@lru_cache(maxsize=100_000)
def sortable(text: str | None) -> Sortable:
    """Numbers and dates by size, everything else as lower-case text; nothing comes first."""
    if text is None:
        return (0, 0.0, "")
    if NUMBER.fullmatch(text):
        return (1, float(text), "")
    try:
        return (1, round(datetime.fromisoformat(text).timestamp() * 1000), "")
    except ValueError:
        return (2, 0.0, text.lower())


def _given(rule: Mapping[str, Any], name: str = "value") -> str:
    value = rule.get(name)
    if value is None:
        raise invalid(f"{rule.get('operator')} needs {name}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _compared(accept: Callable[[Sortable, Sortable], bool]) -> Test:
    def test(value: str | None, rule: Mapping[str, Any], _definition: Definition) -> bool:
        given = sortable(_given(rule))
        return value is not None and accept(sortable(value), given)

    return test


def _equal(value: str | None, rule: Mapping[str, Any], definition: Definition) -> bool:
    """Text without regard to case, options with."""
    given = _given(rule)
    if value is None:
        return False
    if definition.type == "enumeration":
        return given in value.split(";")
    return value.lower() == given.lower() or (definition.type != "string" and sortable(value) == sortable(given))


def _between(value: str | None, rule: Mapping[str, Any], _definition: Definition) -> bool:
    low, high = sortable(_given(rule)), sortable(_given(rule, "highValue"))
    return value is not None and low <= sortable(value) <= high


def _among(value: str | None, rule: Mapping[str, Any], definition: Definition) -> bool:
    """Values of text properties have to be given in lower case: others are never found."""
    values = rule.get("values")
    if not isinstance(values, list):
        raise invalid(f"{rule.get('operator')} needs values")
    if value is None:
        return False
    if definition.type == "enumeration":
        return any(one in [str(v) for v in values] for one in value.split(";"))
    return value.lower() in {str(one) for one in values}


def _has_token(value: str | None, rule: Mapping[str, Any], _definition: Definition) -> bool:
    """Every word of the filter stands in the value; ``*`` is a wildcard."""
    words = _given(rule).lower().split()
    tokens = re.split(r"[\s@.,;:/_-]+", (value or "").lower())
    text = (value or "").lower()
    return all(_matches(word, [*tokens, text]) for word in words)


def _matches(word: str, tokens: list[str]) -> bool:
    pattern = re.compile(".*".join(re.escape(part) for part in word.split("*")))
    return any(pattern.fullmatch(token) for token in tokens)


OPERATORS: dict[str, Test] = {
    "EQ": _equal,
    "NEQ": lambda value, rule, definition: not _equal(value, rule, definition),
    "LT": _compared(lambda a, b: a < b),
    "LTE": _compared(lambda a, b: a <= b),
    "GT": _compared(lambda a, b: a > b),
    "GTE": _compared(lambda a, b: a >= b),
    "BETWEEN": _between,
    "IN": _among,
    "NOT_IN": lambda value, rule, definition: not _among(value, rule, definition),
    "HAS_PROPERTY": lambda value, _rule, _definition: value is not None,
    "NOT_HAS_PROPERTY": lambda value, _rule, _definition: value is None,
    "CONTAINS_TOKEN": _has_token,
    "NOT_CONTAINS_TOKEN": lambda value, rule, definition: not _has_token(value, rule, definition),
}
