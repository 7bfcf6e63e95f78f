"""Read HubSpot records in batches, and find out what became of those that did not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.fields import FALCANA_ID_PROPERTY
from schemas.records import Kind, ObjectType
from schemas.seen import Presence, SideSeen
from services.hubspot.errors import whole_call
from services.hubspot.mapping import Rules, property_names, seen_of
from services.hubspot.wire import (
    BATCH,
    BATCH_WITH_HISTORY,
    MOST_SEARCH_BODY,
    PAGE,
    PRIMARY_COMPANY,
    associations,
    chunks,
    objects,
    portions,
)
from services.transport import Answer, Transport

ONE_BY_ONE = 4


class HubspotReader:
    """Observations of HubSpot records."""

    def __init__(self, transport: Transport, app_id: int, fields: Mapping[ObjectType, Rules]) -> None:
        self._transport = transport
        self._app_id = app_id
        self._fields = fields

    async def read(self, object_type: ObjectType, record_ids: Sequence[str], history: bool) -> dict[str, SideSeen]:
        """What was seen of every asked id. Raises CrmError when a call fails: then nothing is known."""
        wanted = list(dict.fromkeys(record_ids))
        seen: dict[str, SideSeen] = {}
        for chunk in chunks(wanted, BATCH_WITH_HISTORY if history else BATCH):
            seen |= await self._batch(object_type, chunk, history)
        missing = [record_id for record_id in wanted if record_id not in seen]
        gate = asyncio.Semaphore(ONE_BY_ONE)
        resolved = await asyncio.gather(*(self._resolve(object_type, one, gate) for one in missing))
        return seen | dict(zip(missing, resolved, strict=True))

    async def _batch(self, object_type: ObjectType, ids: Sequence[str], history: bool) -> dict[str, SideSeen]:
        names = property_names(object_type, self._fields[object_type])
        body: dict[str, Any] = {"inputs": [{"id": one} for one in ids], "properties": names}
        if history:
            body["propertiesWithHistory"] = [
                rule.hubspot for rule in self._fields[object_type] if rule.kind is not Kind.PARENT
            ]
        answer = await self._post(objects(object_type, "/batch/read"), "batch_read", body)
        found = [self._seen(object_type, record) for record in answer.body.get("results", [])]
        asked = set(ids)
        return {one.record_id: one for one in found if one.record_id in asked and one.present}

    async def _resolve(self, object_type: ObjectType, record_id: str, gate: asyncio.Semaphore) -> SideSeen:
        """A record that a batch read left out: merged away, in the recycle bin, or gone.

        Old ids lead to the survivor.
        """
        async with gate:
            record = await self._one(object_type, record_id, archived=False)
            if record is not None:
                seen = self._seen(object_type, record)
                if seen.record_id != record_id:
                    return msgspec.structs.replace(seen, presence=Presence.MERGED, survivor_id=seen.record_id)
                return seen
            record = await self._one(object_type, record_id, archived=True)
            if record is None:
                return SideSeen(presence=Presence.DELETED, record_id=record_id)
            return msgspec.structs.replace(self._seen(object_type, record), presence=Presence.ARCHIVED)

    async def _one(self, object_type: ObjectType, record_id: str, archived: bool) -> dict[str, Any] | None:
        params = {"properties": ",".join(property_names(object_type, self._fields[object_type]))}
        if archived:
            params["archived"] = "true"
        path = objects(object_type, f"/{record_id}")
        answer = await self._transport.call("GET", path, endpoint="read", params=params, safe=True)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise whole_call(answer)
        record: dict[str, Any] = answer.body
        return record

    def _seen(self, object_type: ObjectType, record: Mapping[str, Any]) -> SideSeen:
        return seen_of(record, object_type, self._fields[object_type], self._app_id)

    async def _post(self, path: str, endpoint: str, body: Any, bucket: str = "burst") -> Answer:
        answer = await self._transport.call("POST", path, endpoint=endpoint, body=body, safe=True, bucket=bucket)
        if answer.status not in (200, 207):
            raise whole_call(answer)
        return answer

    async def primary_companies(self, contact_ids: Sequence[str]) -> dict[str, str]:
        """The primary company of each contact by the association itself; "" for none."""
        found = dict.fromkeys(contact_ids, "")
        for chunk in chunks(list(found), 1000):
            body = {"inputs": [{"id": one} for one in chunk]}
            answer = await self._post(associations("/batch/read"), "associations_read", body)
            for row in answer.body.get("results", []):
                for target in row.get("to", []):
                    if any(kind.get("typeId") == PRIMARY_COMPANY for kind in target.get("associationTypes", [])):
                        found[str(row["from"]["id"])] = str(target["toObjectId"])
        return found

    async def find(self, object_type: ObjectType, wanted: Mapping[int, Mapping[str, str]]) -> dict[int, list[SideSeen]]:
        """Candidates for each ref, by id, stored falcana id, e-mail (contacts), UID and domain (companies)."""
        found: list[SideSeen] = []
        found += await self._by_key(object_type, _values(wanted, "id"), None)
        found += await self._by_key(object_type, _values(wanted, "marker"), FALCANA_ID_PROPERTY)
        if object_type is ObjectType.CONTACT:
            found += await self._by_key(object_type, _values(wanted, "email"), "email")
        else:
            found += await self._search(object_type, "falcana_uid", _values(wanted, "vat_id"))
            found += await self._search(object_type, "domain", _values(wanted, "domain"))
        return {ref: _candidates(keys, found) for ref, keys in wanted.items()}

    async def _by_key(self, object_type: ObjectType, values: Sequence[str], id_property: str | None) -> list[SideSeen]:
        """Batch read by a unique property: no index lag, unlike search."""
        found = []
        names = property_names(object_type, self._fields[object_type])
        for chunk in chunks(values, BATCH):
            body: dict[str, Any] = {"inputs": [{"id": one} for one in chunk], "properties": names}
            if id_property:
                body["idProperty"] = id_property
            answer = await self._post(objects(object_type, "/batch/read"), "batch_read", body)
            found += [self._seen(object_type, record) for record in answer.body.get("results", [])]
        return found

    async def _search(self, object_type: ObjectType, name: str, values: Sequence[str]) -> list[SideSeen]:
        """Companies by a property that is not unique, in searches that are short enough for HubSpot."""
        names = property_names(object_type, self._fields[object_type])
        lowered = [value.lower() for value in values]
        room = MOST_SEARCH_BODY - len(msgspec.json.encode(_search_body(name, [], names, "10000")))
        found = []
        for portion in portions(lowered, room):
            found += await self._pages(object_type, name, portion, names)
        return found

    async def _pages(
        self, object_type: ObjectType, name: str, values: Sequence[str], names: Sequence[str]
    ) -> list[SideSeen]:
        found: list[SideSeen] = []
        after = ""
        while True:
            body = _search_body(name, values, names, after)
            answer = await self._post(objects(object_type, "/search"), "search", body, bucket="search")
            found += [self._seen(object_type, record) for record in answer.body.get("results", [])]
            after = str(((answer.body.get("paging") or {}).get("next") or {}).get("after") or "")
            if not after:
                return found


def _search_body(name: str, values: Sequence[str], names: Sequence[str], after: str) -> dict[str, Any]:
    filters = [{"propertyName": name, "operator": "IN", "values": list(values)}]
    body: dict[str, Any] = {"filterGroups": [{"filters": filters}], "properties": list(names), "limit": PAGE}
    return body | ({"after": after} if after else {})


def _values(wanted: Mapping[int, Mapping[str, str]], key: str) -> list[str]:
    return list(dict.fromkeys(keys[key] for keys in wanted.values() if keys.get(key)))


def _candidates(keys: Mapping[str, str], found: Sequence[SideSeen]) -> list[SideSeen]:
    """Those that share a key with what is wanted, each once."""
    chosen: dict[str, SideSeen] = {}
    for one in found:
        same_key = any(one.keys.get(name) == value for name, value in keys.items() if name not in ("id", "marker"))
        if same_key or one.record_id == keys.get("id") or (one.marker and one.marker == keys.get("marker")):
            chosen[one.record_id] = one
    return list(chosen.values())
