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
        here = _decode(position) if position else Position(now_ms)
        same_moment = await self._same_moment(object_type, here) if here.after_id else None
        return same_moment or await self._later(object_type, here, now_ms)

    async def _same_moment(self, object_type: ObjectType, here: Position) -> ChangePage | None:
        """The rest of the position's millisecond, by id. A record that changes meanwhile is listed later once more."""
        filters = [
            {"propertyName": MODIFIED[object_type], "operator": "EQ", "value": str(here.since_ms)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": here.after_id},
        ]
        records = await self._page(object_type, filters, "hs_object_id")
        if not records:
            return None
        found = [_changed(record, object_type) for record in records]
        last_id = max(int(one.record_id) for one in found)
        return ChangePage(changes=found, position=_encode(Position(here.since_ms, str(last_id))), more=True)

    async def _later(self, object_type: ObjectType, here: Position, now_ms: int) -> ChangePage:
        """Everything after the position's millisecond, or from it on when it was not read by id."""
        since = here.since_ms + (1 if here.after_id else 0)
        bounds = {"value": str(since), "highValue": str(max(since, now_ms))}
        name = MODIFIED[object_type]
        records = await self._page(object_type, [{"propertyName": name, "operator": "BETWEEN", **bounds}], name)
        listed = [_changed(record, object_type) for record in records]
        found = sorted(
            (one for one in listed if one.modified_ms >= since), key=lambda one: (one.modified_ms, int(one.record_id))
        )
        full = len(records) >= PAGE
        position = _behind([one.modified_ms for one in listed if since <= one.modified_ms <= now_ms], here, full)
        return ChangePage(changes=found, position=_encode(position), more=full and position != here)

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
        return _encode(Position(max(0, _decode(position).since_ms - round(overlap_s * 1000))))

    def furthest(self, one: str, other: str) -> str:
        """The later of two positions."""
        return _encode(max(_decode(one), _decode(other), key=lambda here: (here.since_ms, int(here.after_id or -1))))

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


def _behind(moments: Sequence[int], here: Position, full: bool) -> Position:
    """The position behind a page, from the dates within its bounds in the order they were listed.

    The last one listed counts, not the newest: a record that changes during the search keeps its place and shows a
    newer date. A page full of one millisecond says nothing of the rest of it: that is read by id, from 0.
    """
    if not moments:
        return here
    if full and min(moments) == moments[-1]:
        return Position(moments[-1], "0")
    return Position(moments[-1])


def _decode(position: str) -> Position:
    return msgspec.json.decode(position.encode(), type=Position)


def _encode(position: Position) -> str:
    return msgspec.json.encode(position).decode()


assert PAGE <= MOST_RESULTS, "one page per query never reaches the cap on results"
