"""falcana behind the CRM port. Writes carry the version they are based on; creates carry an idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.fields import HUBSPOT_ID_FIELDS
from schemas.records import ObjectType, System
from schemas.seen import Presence, SideSeen
from services.crm import Changed, ChangePage, FeedExpired, Refused, Write, WriteResult
from services.falcana.errors import whole_call
from services.falcana.mapping import PRIVATE, Rules, seen_of, time_ms
from services.falcana.wire import (
    FIELD_TIMES,
    MANY,
    ONE_BY_ONE,
    PAGE,
    READ_MANY,
    RESOURCE,
    TYP,
    Capabilities,
    chunks,
    comma_lists,
)
from services.falcana.writing import Defaults, FalcanaWriter
from services.transport import Answer, Transport

FEED_OVERLAP = 200
FILTERS = {"email": "email", "vat_id": "uid_nummer", "domain": "domain"}


class FalcanaClient:
    """One falcana database, by the contract "falcana API v1"."""

    def __init__(self, transport: Transport, fields: Mapping[ObjectType, Rules], defaults: Defaults) -> None:
        self._transport = transport
        self._fields = fields
        self._offers = Capabilities(transport)
        self._writer = FalcanaWriter(transport, fields, defaults, self._offers)

    @property
    def system(self) -> System:
        """Which side this is."""
        return System.FALCANA

    async def read(
        self, object_type: ObjectType, record_ids: Sequence[str], *, history: bool = False
    ) -> dict[str, SideSeen]:
        """Every asked id with what was seen of it; ``history`` changes nothing here. Raises CrmError."""
        wanted = list(dict.fromkeys(record_ids))
        seen: dict[str, SideSeen] = {}
        for chunk in chunks(wanted, MANY):
            found = [
                seen_of(one, object_type, self._fields[object_type]) for one in await self._by_id(object_type, chunk)
            ]
            seen |= {one.record_id: one for one in found}
            seen |= await self._missing(object_type, [one for one in chunk if one not in seen])
        return await self._without_holders(seen) if object_type is ObjectType.CONTACT else seen

    async def _by_id(self, object_type: ObjectType, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The records that can be seen, in one call where falcana reads many at once."""
        times = {"feld_zeiten": "1"} if await self._offers.include(FIELD_TIMES) else {}
        if await self._offers.include(READ_MANY):
            return await self._many(RESOURCE[object_type], {"id": ",".join(ids), **times})
        gate = asyncio.Semaphore(ONE_BY_ONE)
        found = await asyncio.gather(*(self._one(object_type, one, times, gate) for one in ids))
        return [one for one in found if one is not None]

    async def _one(
        self, object_type: ObjectType, record_id: str, params: Mapping[str, str], gate: asyncio.Semaphore
    ) -> dict[str, Any] | None:
        """One record; None when it is unknown or hidden, which falcana does not tell apart."""
        async with gate:
            resource = RESOURCE[object_type]
            path = f"/{resource}/{record_id}"
            answer = await self._transport.call("GET", path, endpoint=resource, params=params, safe=True)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise whole_call(answer)
        record: dict[str, Any] = answer.body
        return record

    async def _many(self, resource: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """All pages of a filtered listing."""
        records: list[dict[str, Any]] = []
        query = dict(params)
        while True:
            answer = await self._get(f"/{resource}", resource, query)
            records += answer.body["daten"]
            if not answer.body.get("weiter"):
                return records
            query["cursor"] = answer.body["weiter"]

    async def _get(self, path: str, endpoint: str, params: Mapping[str, str]) -> Answer:
        answer = await self._transport.call("GET", path, endpoint=endpoint, params=params, safe=True)
        if answer.status != 200:
            raise whole_call(answer)
        return answer

    async def _missing(self, object_type: ObjectType, ids: Sequence[str]) -> dict[str, SideSeen]:
        """Records that did not answer: only a tombstone says deleted, everything else is hidden."""
        if not ids:
            return {}
        params = {"typ": TYP[object_type], "id": ",".join(ids)}
        stones = {str(stone["id"]): stone for stone in await self._many("geloescht", params)}
        return {one: _gone(one, stones[one]) if one in stones else _hidden(one) for one in ids}

    async def _without_holders(self, seen: dict[str, SideSeen]) -> dict[str, SideSeen]:
        """People under a Privatperson Adresse have no company: that Adresse is the person (Q8, Q9)."""
        parents = sorted({one.parent_id for one in seen.values() if one.present and one.parent_id})
        holders: set[str] = set()
        for chunk in chunks(parents, MANY):
            records = await self._by_id(ObjectType.COMPANY, chunk)
            holders |= {str(record["id"]) for record in records if record.get("adressart") == PRIVATE}
        return {
            record_id: msgspec.structs.replace(one, parent_id="") if one.parent_id in holders else one
            for record_id, one in seen.items()
        }

    async def find(self, object_type: ObjectType, wanted: Mapping[int, Mapping[str, str]]) -> dict[int, list[SideSeen]]:
        """Candidates for each ref, one call per kind of key and hundred values. Raises CrmError."""
        filters = FILTERS | {"marker": f"individualfeld.{HUBSPOT_ID_FIELDS[object_type]}"}
        records = await self._by_id(object_type, ids) if (ids := _values(wanted, "id")) else []
        most = MANY if await self._offers.include(READ_MANY) else 1
        for key, name in filters.items():
            for values in comma_lists(_values(wanted, key), most):
                records += await self._many(RESOURCE[object_type], {"limit": str(PAGE), name: values})
        found = {str(one["id"]): seen_of(one, object_type, self._fields[object_type]) for one in records}
        if object_type is ObjectType.CONTACT:
            found = await self._without_holders(found)
        return {ref: [one for one in found.values() if _fits(keys, one)] for ref, keys in wanted.items()}

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Create under an idempotency key. Raises CrmError."""
        return await self._writer.create(object_type, writes)

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Change only the given fields, based on the given version. Raises CrmError."""
        return await self._writer.update(object_type, writes)

    async def archive(self, object_type: ObjectType, record_ids: Sequence[str]) -> dict[str, bool]:
        """Never: the sync deletes nothing in falcana (R12)."""
        raise Refused("falcana records are never deleted by the sync")

    async def changes(self, object_type: ObjectType, position: str, now_ms: int) -> ChangePage:
        """The next page of the change feed. Raises FeedExpired when the position is older than falcana remembers."""
        if not position:
            return ChangePage(changes=(), position=await self.present_position(object_type, now_ms), more=False)
        params = {"nach": position, "limit": str(PAGE), "typ": TYP[object_type]}
        answer = await self._transport.call("GET", "/aenderungen", endpoint="aenderungen", params=params, safe=True)
        if answer.status == 410:
            raise FeedExpired("the feed position is too old")
        if answer.status != 200:
            raise whole_call(answer)
        changes = [_changed(entry) for entry in answer.body["daten"]]
        more = bool(answer.body.get("mehr"))
        last = answer.body["daten"][-1]["seq"] if more and changes else answer.body["stand"]
        return ChangePage(changes=changes, position=str(max(int(last), int(position))), more=more)

    async def present_position(self, object_type: ObjectType, now_ms: int) -> str:
        """The feed's present end."""
        answer = await self._get(f"/{RESOURCE[object_type]}", RESOURCE[object_type], {"limit": "1"})
        return str(answer.body["stand"])

    def rewound(self, position: str, overlap_s: float) -> str:
        """A little earlier: until falcana promises that sequence numbers appear in order of commit."""
        return str(max(0, int(position) - FEED_OVERLAP))

    def furthest(self, one: str, other: str) -> str:
        """The later of two positions."""
        return str(max(int(one), int(other)))

    async def everything(self, object_type: ObjectType) -> AsyncIterator[Sequence[Changed]]:
        """All records page by page. Raises CrmError."""
        query = {"limit": str(MANY)}
        while True:
            answer = await self._get(f"/{RESOURCE[object_type]}", RESOURCE[object_type], query)
            yield [
                Changed(record_id=str(one["id"]), modified_ms=time_ms(one["geaendert_am"]), version=one["version"])
                for one in answer.body["daten"]
            ]
            if not answer.body.get("weiter"):
                return
            query["cursor"] = answer.body["weiter"]


def _values(wanted: Mapping[int, Mapping[str, str]], key: str) -> list[str]:
    return list(dict.fromkeys(keys[key] for keys in wanted.values() if keys.get(key)))


def _gone(record_id: str, stone: Mapping[str, Any]) -> SideSeen:
    if stone.get("grund") == "zusammengefuehrt" and stone.get("ziel_id"):
        return SideSeen(presence=Presence.MERGED, record_id=record_id, survivor_id=str(stone["ziel_id"]))
    return SideSeen(
        presence=Presence.DELETED,
        record_id=record_id,
        deleted_ms=time_ms(stone.get("geloescht_am")),
        erased=stone.get("grund") == "dsgvo",
    )


def _hidden(record_id: str) -> SideSeen:
    return SideSeen(presence=Presence.HIDDEN, record_id=record_id)


def _fits(keys: Mapping[str, str], one: SideSeen) -> bool:
    if one.record_id == keys.get("id") or (one.marker and one.marker == keys.get("marker")):
        return True
    return any(one.keys.get(name) == value for name, value in keys.items() if name in FILTERS)


def _changed(entry: Mapping[str, Any]) -> Changed:
    return Changed(
        record_id=str(entry["id"]),
        modified_ms=time_ms(entry.get("zeitpunkt")),
        version=int(entry.get("version") or 0),
        own=(entry.get("geaendert_durch") or {}).get("typ") == "schnittstelle",
        gone=entry["art"] in ("geloescht", "zusammengefuehrt"),
        survivor_id=str(entry.get("ziel_id") or "") if entry["art"] == "zusammengefuehrt" else "",
        restored=entry["art"] == "wiederhergestellt",
        fields=tuple(entry.get("felder") or ()),
    )
