"""Write HubSpot records in batches. A failure belongs to its record; an input without a result is never a success.

Results are matched by ``objectWriteTraceId`` or id, never by position. An update of a record that was merged away is
answered with success and left out of the results; that is why results are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.fields import FALCANA_ID_PROPERTY
from schemas.records import Kind, ObjectType
from schemas.seen import Presence, SideSeen
from services.crm import CrmError, Gone, Rejected, Unclear, Write, WriteResult, Written
from services.hubspot.errors import of_record, whole_call
from services.hubspot.mapping import Rules, property_of, returned_values, seen_of
from services.hubspot.wire import BATCH, PRIMARY_COMPANY, associations, chunks, objects
from services.transport import Answer, Transport


class HubspotWriter:
    """Creates, updates, archives and relates HubSpot records."""

    def __init__(self, transport: Transport, app_id: int, fields: Mapping[ObjectType, Rules]) -> None:
        self._transport = transport
        self._app_id = app_id
        self._fields = fields

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Upsert by our unique property: a repeat finds the record that the first attempt made."""
        return await self._write(object_type, writes, "upsert")

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Send only the given properties."""
        return await self._write(object_type, writes, "update")

    async def _write(self, object_type: ObjectType, writes: Sequence[Write], verb: str) -> list[WriteResult]:
        results: dict[int, WriteResult] = {}
        with_values = [write for write in writes if verb == "upsert" or write.values or write.marker]
        for chunk in chunks(with_values, BATCH):
            results |= await self._attempt(object_type, chunk, verb, first=not results)
        results |= await self._without_refused(object_type, writes, results, verb)
        if object_type is ObjectType.CONTACT:
            results = await self._relate(writes, results)
        return [results.get(write.ref, Gone(ref=write.ref)) for write in writes]

    async def _attempt(
        self, object_type: ObjectType, writes: Sequence[Write], verb: str, *, first: bool
    ) -> dict[int, WriteResult]:
        """One batch. Once something is written, a failed call is unclear for its own records and no longer raised."""
        try:
            return await self._batch(object_type, writes, verb)
        except CrmError as error:
            if first:
                raise
            return {write.ref: Unclear(ref=write.ref, reason=type(error).__name__.lower()) for write in writes}

    async def _batch(self, object_type: ObjectType, writes: Sequence[Write], verb: str) -> dict[int, WriteResult]:
        """One call. When it is refused as a whole, each record is tried alone, so that only the bad one fails."""
        body = {"inputs": [self._input(object_type, write, verb) for write in writes]}
        answer = await self._transport.call(
            "POST", objects(object_type, f"/batch/{verb}"), endpoint=f"batch_{verb}", body=body
        )
        if answer.status in (200, 201, 207):
            return self._matched(object_type, writes, answer, verb)
        if answer.status in (400, 409) and len(writes) > 1:
            one, other = _halves(writes)
            done = await self._attempt(object_type, one, verb, first=True)
            return done | await self._attempt(object_type, other, verb, first=False)
        if answer.status in (400, 404, 409):
            return {writes[0].ref: of_record(writes[0].ref, answer.body)}
        raise whole_call(answer)

    def _input(self, object_type: ObjectType, write: Write, verb: str) -> dict[str, Any]:
        rules = {rule.name: rule for rule in self._fields[object_type]}
        properties = {rules[name].hubspot: property_of(rules[name], value) for name, value in write.values.items()}
        trace = {"objectWriteTraceId": str(write.ref)}
        if verb == "upsert":
            return {"id": write.marker, "idProperty": FALCANA_ID_PROPERTY, "properties": properties, **trace}
        if write.marker:
            properties[FALCANA_ID_PROPERTY] = write.marker
        return {"id": write.record_id, "properties": properties, **trace}

    def _matched(
        self, object_type: ObjectType, writes: Sequence[Write], answer: Answer, verb: str
    ) -> dict[int, WriteResult]:
        by_ref = {str(write.ref): write for write in writes}
        by_id = {write.record_id: write for write in writes if write.record_id}
        by_marker = {write.marker: write for write in writes if verb == "upsert"}
        results: dict[int, WriteResult] = {}
        for record in answer.body.get("results", []):
            write = by_ref.get(str(record.get("objectWriteTraceId"))) or by_id.get(str(record["id"]))
            write = write or by_marker.get(str((record.get("properties") or {}).get(FALCANA_ID_PROPERTY)))
            if write is not None:
                results[write.ref] = self._written(object_type, write, record)
        for error in answer.body.get("errors") or []:
            for ref in _refs(error, by_ref, by_id):
                results.setdefault(ref, of_record(ref, error))
        return results

    def _written(self, object_type: ObjectType, write: Write, record: Mapping[str, Any]) -> Written:
        rules = self._fields[object_type]
        seen = seen_of(record, object_type, rules, self._app_id)
        values = returned_values(rules, record.get("properties") or {}, write.values)
        seen = msgspec.structs.replace(seen, values=values)
        return Written(ref=write.ref, seen=seen, created=bool(record.get("new")))

    async def _without_refused(
        self, object_type: ObjectType, writes: Sequence[Write], results: Mapping[int, WriteResult], verb: str
    ) -> dict[int, WriteResult]:
        """Records with properties that HubSpot will not take are written once more without them."""
        names = {rule.hubspot: rule.name for rule in self._fields[object_type] if rule.kind is not Kind.PARENT}
        again, refused = [], {}
        for write in writes:
            result = results.get(write.ref)
            if isinstance(result, Rejected) and result.fields:
                bad = {names[name]: code for name, code in result.fields.items() if names.get(name) in write.values}
                rest = {name: value for name, value in write.values.items() if name not in bad}
                if bad and (rest or verb == "upsert"):
                    again.append(msgspec.structs.replace(write, values=rest))
                    refused[write.ref] = bad
                elif bad:
                    refused[write.ref] = bad
        retried: dict[int, WriteResult] = {}
        for chunk in chunks(again, BATCH):
            retried |= await self._attempt(object_type, chunk, verb, first=False)
        return {
            ref: msgspec.structs.replace(result, refused=refused[ref]) if isinstance(result, Written) else result
            for ref, result in retried.items()
        } | self._wholly_refused(writes, refused, retried)

    def _wholly_refused(
        self, writes: Sequence[Write], refused: Mapping[int, Mapping[str, str]], retried: Mapping[int, WriteResult]
    ) -> dict[int, WriteResult]:
        """Records of which nothing could be written: an answer without values, so that only the fields are held."""
        by_ref = {write.ref: write for write in writes}
        return {
            ref: Written(ref=ref, seen=_unmoved(by_ref[ref]), refused=fields)
            for ref, fields in refused.items()
            if ref not in retried
        }

    async def _relate(self, writes: Sequence[Write], results: dict[int, WriteResult]) -> dict[int, WriteResult]:
        """Put people under their primary company.

        A relation that fails leaves its record written and its intent open.
        """
        moving = [write for write in writes if write.parent_id is not None and self._reachable(write, results)]
        placed = await self._associate([write for write in moving if write.parent_id], results)
        placed |= await self._dissociate([write for write in moving if not write.parent_id], results)
        for write in moving:
            result = results.get(write.ref) or Written(ref=write.ref, seen=_unmoved(write))
            if isinstance(result, Written):
                results[write.ref] = msgspec.structs.replace(result, parent_written=write.ref in placed)
        return results

    def _reachable(self, write: Write, results: Mapping[int, WriteResult]) -> bool:
        result = results.get(write.ref)
        return isinstance(result, Written) or (result is None and bool(write.record_id) and not write.values)

    def _contact_id(self, write: Write, results: Mapping[int, WriteResult]) -> str:
        result = results.get(write.ref)
        return result.seen.record_id if isinstance(result, Written) else write.record_id

    async def _associate(self, writes: Sequence[Write], results: Mapping[int, WriteResult]) -> set[int]:
        if not writes:
            return set()
        done: set[int] = set()
        for chunk in chunks(writes, BATCH):
            done |= await self._place(chunk, results)
        left = [w for w in writes if w.ref in done and w.former_parent_id not in ("", w.parent_id)]
        await self._archive_relations([(self._contact_id(w, results), w.former_parent_id) for w in left])
        return done

    async def _place(self, writes: Sequence[Write], results: Mapping[int, WriteResult]) -> set[int]:
        """The refs whose relation stands now. A call refused as a whole is tried in halves: only the bad one fails."""
        kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": PRIMARY_COMPANY}
        inputs = [
            {"from": {"id": self._contact_id(w, results)}, "to": {"id": w.parent_id}, "types": [kind]} for w in writes
        ]
        answer = await self._post(associations("/batch/create"), inputs)
        if answer is not None and answer.status in (400, 404, 409) and len(writes) > 1:
            one, other = _halves(writes)
            return await self._place(one, results) | await self._place(other, results)
        if answer is None or answer.status not in (200, 201, 207):
            return set()
        related = {_contact_of(row) for row in answer.body.get("results") or []}
        return {write.ref for write in writes if self._contact_id(write, results) in related}

    async def _dissociate(self, writes: Sequence[Write], results: Mapping[int, WriteResult]) -> set[int]:
        pairs = {w.ref: (self._contact_id(w, results), w.former_parent_id) for w in writes if w.former_parent_id}
        archived = await self._archive_relations(list(pairs.values()))
        return {write.ref for write in writes if archived or write.ref not in pairs}

    async def _archive_relations(self, pairs: Sequence[tuple[str, str]]) -> bool:
        """Whether all of these relations are gone now."""
        gone = True
        for chunk in chunks(pairs, BATCH):
            inputs = [{"from": {"id": contact}, "to": [{"id": company}]} for contact, company in chunk]
            answer = await self._post(associations("/batch/archive"), inputs)
            gone = gone and answer is not None and answer.status in (200, 204, 207)
        return gone

    async def _post(self, path: str, inputs: Sequence[Any]) -> Answer | None:
        """An association call; None when it failed. The record itself is written already, so nothing is raised."""
        try:
            return await self._transport.call(
                "POST", path, endpoint="associations_write", body={"inputs": list(inputs)}
            )
        except CrmError:
            return None

    async def archive(self, object_type: ObjectType, record_ids: Sequence[str]) -> dict[str, bool]:
        """Archive records; one that is gone already counts as done."""
        gone: dict[str, bool] = {}
        for chunk in chunks(record_ids, BATCH):
            body = {"inputs": [{"id": one} for one in chunk]}
            answer = await self._transport.call(
                "POST", objects(object_type, "/batch/archive"), endpoint="batch_archive", body=body, safe=True
            )
            if answer.status not in (200, 204, 207, 404):
                raise whole_call(answer)
            refused = _refused_ids(answer)
            gone |= {one: one not in refused for one in chunk}
        return gone


def _unmoved(write: Write) -> SideSeen:
    return SideSeen(presence=Presence.PRESENT, record_id=write.record_id)


def _refs(error: Mapping[str, Any], by_ref: Mapping[str, Write], by_id: Mapping[str, Write]) -> list[int]:
    """The inputs an error row speaks of: by trace id, by record id; with neither it speaks of none."""
    context = error.get("context") or {}
    traces = [part for text in context.get("objectWriteTraceId") or [] for part in str(text).split(",")]
    found = [by_ref[trace].ref for trace in traces if trace in by_ref]
    return found or [by_id[str(one)].ref for one in context.get("ids") or [] if str(one) in by_id]


def _refused_ids(answer: Answer) -> set[str]:
    """The records that an archive would not touch; one that is not there was gone before."""
    rows = (answer.body.get("errors") or []) if answer.status == 207 else []
    bad = [row for row in rows if row.get("category") != "OBJECT_NOT_FOUND"]
    return {str(one) for row in bad for one in (row.get("context") or {}).get("ids") or []}


def _contact_of(row: Mapping[str, Any]) -> str:
    """The person of a related pair; both spellings of the answer are in use."""
    return str(row.get("fromObjectId") or (row.get("from") or {}).get("id") or "")


def _halves(writes: Sequence[Write]) -> tuple[Sequence[Write], Sequence[Write]]:
    middle = len(writes) // 2
    return writes[:middle], writes[middle:]
