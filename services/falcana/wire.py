"""Resources, sizes and capabilities of falcana's API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from schemas.records import ObjectType
from services.falcana.errors import whole_call
from services.transport import Transport

RESOURCE = {ObjectType.COMPANY: "adressen", ObjectType.CONTACT: "ansprechpartner"}
TYP = {ObjectType.COMPANY: "adresse", ObjectType.CONTACT: "ansprechpartner"}
MANY = 100
PAGE = 500
ONE_BY_ONE = 4
MOST_QUERY_CHARACTERS = 3000

BATCH_WRITES = "stapel"
READ_MANY = "sammelabruf"
FIELD_TIMES = "feld_zeiten"
T = TypeVar("T")


class Capabilities:
    """What this falcana offers, asked once when it is first needed. Not every installation has everything."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: frozenset[str] | None = None

    async def include(self, name: str) -> bool:
        """Whether a capability is there. Raises CrmError when falcana cannot be asked."""
        if self._known is None:
            answer = await self._transport.call("GET", "/info", endpoint="info", safe=True)
            if answer.status != 200:
                raise whole_call(answer)
            self._known = frozenset(str(one) for one in answer.body.get("faehigkeiten") or ())
        return name in self._known


def chunks(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The sequence in pieces of at most ``size``."""
    for start in range(0, len(things), size):
        yield things[start : start + size]


def comma_lists(values: Sequence[str], most: int) -> Iterator[str]:
    """The values as comma lists of at most ``most`` values, short enough for a URL."""
    part: list[str] = []
    for value in values:
        if part and (len(part) >= most or len(",".join((*part, value))) > MOST_QUERY_CHARACTERS):
            yield ",".join(part)
            part = []
        part.append(value)
    if part:
        yield ",".join(part)
