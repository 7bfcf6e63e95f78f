"""HubSpot behind the CRM port: reading, writing, and the listing of changes by search."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.records import ObjectType, System
from schemas.seen import SideSeen
from services.crm import Changed, ChangePage, Write, WriteResult
from services.hubspot.errors import whole_call
from services.hubspot.mapping import MODIFIED, Rules, time_ms
from services.hubspot.reading import HubspotReader
from services.hubspot.wire import LIST_PAGE, MOST_RESULTS, PAGE, objects
from services.hubspot.writing import HubspotWriter
from services.transport import Transport


class Position(msgspec.Struct, frozen=True):
    """How far the search has read: all before ``since_ms``, and of that millisecond the ids up to ``after_id``."""

    since_ms: int
    after_id: str = ""


class HubspotClient:
    """One HubSpot account. ``fields`` is the mapping; ``app_id`` tells own entries in histories from others."""

    def __init__(self, transport: Transport, app_id: int, fields: Mapping[ObjectType, Rules]) -> None:
        self._transport = transport
        self._reader = HubspotReader(transport, app_id, fields)
        self._writer = HubspotWriter(transport, app_id, fields)

    @property
    def system(self) -> System:
        """Which side this is."""
        return System.HUBSPOT

    async def read(
        self, object_type: ObjectType, record_ids: Sequence[str], *, history: bool = False
    ) -> dict[str, SideSeen]:
        """Every asked id with what was seen of it. Raises CrmError."""
        return await self._reader.read(object_type, record_ids, history)

    async def primary_companies(self, contact_ids: Sequence[str]) -> dict[str, str]:
        """The primary company of each contact by the association itself. Raises CrmError."""
        return await self._reader.primary_companies(contact_ids)

    async def find(self, object_type: ObjectType, wanted: Mapping[int, Mapping[str, str]]) -> dict[int, list[SideSeen]]:
        """Candidates for each ref. Raises CrmError."""
        return await self._reader.find(object_type, wanted)

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Upsert by our unique property. Raises CrmError."""
        return await self._writer.create(object_type, writes)

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Write only the given fields. Raises CrmError."""
        return await self._writer.update(object_type, writes)

    async def archive(self, object_type: ObjectType, record_ids: Sequence[str]) -> dict[str, bool]:
        """Archive records. Raises CrmError."""
        return await self._writer.archive(object_type, record_ids)

    async def changes(self, object_type: ObjectType, position: str, now_ms: int) -> ChangePage:
        """The next page of changed records after ``position``, ascending by date and id. Raises CrmError.

        Search may answer late, out of order and with records newer than the bound: everything older than the
        position is filtered here, and a page that fills a single millisecond goes on by id (HubSpot search guide).
        """
        here = msgspec.json.decode(position.encode(), type=Position) if position else Position(now_ms)
        records = await self._search(object_type, here, now_ms)
        found = sorted(
            (changed for record in records if (changed := _changed(record, object_type)).modified_ms >= here.since_ms),
            key=lambda one: (one.modified_ms, int(one.record_id)),
        )
        full = len(records) >= PAGE
        return ChangePage(
            changes=found, position=_encode(_after(found, here, full)), more=full or bool(here.after_id and found)
        )

    async def _search(self, object_type: ObjectType, here: Position, now_ms: int) -> list[dict[str, Any]]:
        """Records changed since the position: first the rest of its millisecond by id, else everything later."""
        name = MODIFIED[object_type]
        if here.after_id:
            filters = [
                {"propertyName": name, "operator": "EQ", "value": str(here.since_ms)},
                {"propertyName": "hs_object_id", "operator": "GT", "value": here.after_id},
            ]
            rest = await self._page(object_type, filters, "hs_object_id")
            if rest:
                return rest
        since = here.since_ms + (1 if here.after_id else 0)
        filters = [
            {"propertyName": name, "operator": "BETWEEN", "value": str(since), "highValue": str(max(since, now_ms))}
        ]
        return await self._page(object_type, filters, name)

    async def _page(self, object_type: ObjectType, filters: list[dict[str, str]], sort: str) -> list[dict[str, Any]]:
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": [MODIFIED[object_type]],
            "limit": PAGE,
        }
        answer = await self._transport.call(
            "POST", objects(object_type, "/search"), endpoint="search", body=body, safe=True, bucket="search"
        )
        if answer.status != 200:
            raise whole_call(answer)
        return list(answer.body.get("results", []))

    async def present_position(self, object_type: ObjectType, now_ms: int) -> str:
        """The position of this moment."""
        return _encode(Position(now_ms))

    def rewound(self, position: str, overlap_s: float) -> str:
        """Earlier by the overlap: the index may show a change late."""
        here = msgspec.json.decode(position.encode(), type=Position)
        return _encode(Position(max(0, here.since_ms - round(overlap_s * 1000))))

    def furthest(self, one: str, other: str) -> str:
        """The later of two positions."""
        decoded = [msgspec.json.decode(text.encode(), type=Position) for text in (one, other)]
        return _encode(max(decoded, key=lambda here: here.since_ms))

    async def everything(self, object_type: ObjectType) -> AsyncIterator[Sequence[Changed]]:
        """All records by the list endpoint, which knows no cap. Raises CrmError."""
        params = {"limit": str(LIST_PAGE), "properties": MODIFIED[object_type]}
        while True:
            answer = await self._transport.call("GET", objects(object_type), endpoint="list", params=params, safe=True)
            if answer.status != 200:
                raise whole_call(answer)
            yield [_changed(record, object_type) for record in answer.body.get("results", [])]
            after = ((answer.body.get("paging") or {}).get("next") or {}).get("after")
            if not after:
                return
            params["after"] = str(after)


def _changed(record: Mapping[str, Any], object_type: ObjectType) -> Changed:
    properties = record.get("properties") or {}
    return Changed(
        record_id=str(record["id"]),
        modified_ms=time_ms(properties.get(MODIFIED[object_type]) or record.get("updatedAt")),
    )


def _after(found: Sequence[Changed], here: Position, full: bool) -> Position:
    """The position behind a page.

    A page full of one millisecond says nothing of the rest: read that one by id, from 0.
    """
    if not found:
        return here
    last = found[-1]
    if here.after_id and last.modified_ms == here.since_ms:
        return Position(last.modified_ms, last.record_id)
    if full and found[0].modified_ms == last.modified_ms:
        return Position(last.modified_ms, "0")
    return Position(last.modified_ms)


def _encode(position: Position) -> str:
    return msgspec.json.encode(position).decode()


assert PAGE <= MOST_RESULTS, "one page per query never reaches the cap on results"
