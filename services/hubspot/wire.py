"""Paths, constants and small shapes of HubSpot's API. The version stands here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from schemas.records import ObjectType

VERSION = "2026-09"
PLURAL = {ObjectType.COMPANY: "companies", ObjectType.CONTACT: "contacts"}
BATCH = 100
BATCH_WITH_HISTORY = 50
PAGE = 200
LIST_PAGE = 100
MOST_RESULTS = 10_000
MOST_SEARCH_VALUES = 60
MOST_SEARCH_BODY = 3000
PRIMARY_COMPANY = 1
T = TypeVar("T")


def objects(object_type: ObjectType, rest: str = "") -> str:
    """A path of the objects API."""
    return f"/crm/objects/{VERSION}/{PLURAL[object_type]}{rest}"


def associations(rest: str) -> str:
    """A path of the associations API, from contacts to companies."""
    return f"/crm/associations/{VERSION}/contacts/companies{rest}"


def properties(object_type: ObjectType, rest: str = "") -> str:
    """A path of the properties API."""
    return f"/crm/properties/{VERSION}/{PLURAL[object_type]}{rest}"


def portions(values: Sequence[str], room: int, most: int = MOST_SEARCH_VALUES) -> Iterator[Sequence[str]]:
    """The values in pieces of at most ``most`` values and ``room`` characters of JSON; a long one goes alone."""
    part: list[str] = []
    size = 0
    for value in values:
        length = len(value.encode()) + len('"",')
        if part and (len(part) >= most or size + length > room):
            yield part
            part, size = [], 0
        part.append(value)
        size += length
    if part:
        yield part


def chunks(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The sequence in pieces of at most ``size``."""
    for start in range(0, len(things), size):
        yield things[start : start + size]
