"""Write falcana records in batches of operations, one answer per operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.fields import HUBSPOT_ID_FIELDS
from schemas.records import EMPTY, ObjectType
from schemas.seen import Presence, SideSeen
from services.crm import CrmError, Rejected, Unclear, Write, WriteResult, Written
from services.falcana.errors import of_record, whole_call
from services.falcana.mapping import PRIVATE, Rules, body_of, returned_values, seen_of
from services.falcana.wire import BATCH_WRITES, MANY, ONE_BY_ONE, RESOURCE, Capabilities, chunks
from services.transport import Transport

Operation = dict[str, Any]
Shape = Callable[[ObjectType, Write], Operation]


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a new Adresse needs and HubSpot does not know."""

    adressart: str
    zustaendiger_user_id: int
    vertriebsgruppe_id: int


class FalcanaWriter:
    """Creates and updates falcana records."""

    def __init__(
        self, transport: Transport, fields: Mapping[ObjectType, Rules], defaults: Defaults, offers: Capabilities
    ) -> None:
        self._transport = transport
        self._fields = fields
        self._defaults = defaults
        self._offers = offers

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """One POST per record; a repeat gets the first answer again."""
        return await self._carry_out(object_type, writes, self._post)

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """One PATCH per record, refused when its version is not the newest."""
        return await self._carry_out(object_type, writes, self._patch)

    async def _carry_out(self, object_type: ObjectType, writes: Sequence[Write], shape: Shape) -> list[WriteResult]:
        results: dict[int, WriteResult] = {}
        for chunk in chunks(writes, MANY):
            results |= await self._attempt(object_type, chunk, shape, first=not results)
        again, refused = self._without_bad_fields(object_type, writes, results)
        for chunk in chunks(again, MANY):
            for ref, result in (await self._attempt(object_type, chunk, shape, first=False)).items():
                with_refused = isinstance(result, Written)
                results[ref] = msgspec.structs.replace(result, refused=refused[ref]) if with_refused else result
        for ref in refused.keys() - {write.ref for write in again}:
            write = next(one for one in writes if one.ref == ref)
            seen = SideSeen(presence=Presence.PRESENT, record_id=write.record_id, version=write.version)
            results[ref] = Written(ref=ref, seen=seen, refused=refused[ref])
        return [results.get(write.ref, Unclear(ref=write.ref, reason="no answer")) for write in writes]

    async def _attempt(
        self, object_type: ObjectType, writes: Sequence[Write], shape: Shape, *, first: bool
    ) -> dict[int, WriteResult]:
        """Some writes. Once something is written, a failed call is unclear for its own records and no longer raised."""
        operations = {write.ref: shape(object_type, write) for write in writes}
        try:
            batch = await self._offers.include(BATCH_WRITES)
            rows = await (self._together(list(operations.values())) if batch else self._singly(operations))
        except CrmError as error:
            if first:
                raise
            return {write.ref: Unclear(ref=write.ref, reason=type(error).__name__.lower()) for write in writes}
        return {
            write.ref: self._result(object_type, write, rows[str(write.ref)])
            for write in writes
            if str(write.ref) in rows
        }

    async def _together(self, operations: Sequence[Operation]) -> dict[str, Mapping[str, Any]]:
        """All operations in one call; the answers by ref."""
        body = {"operationen": list(operations)}
        answer = await self._transport.call("POST", "/stapel", endpoint="stapel", body=body)
        if answer.status != 200:
            raise whole_call(answer)
        return {str(row["ref"]): row for row in answer.body.get("ergebnisse", [])}

    async def _singly(self, operations: Mapping[int, Operation]) -> dict[str, Mapping[str, Any]]:
        """One call each, a few at a time, for a falcana that takes no batches."""
        gate = asyncio.Semaphore(ONE_BY_ONE)
        rows = await asyncio.gather(*(self._single(operation, gate) for operation in operations.values()))
        return {str(row["ref"]): row for row in rows}

    async def _single(self, operation: Operation, gate: asyncio.Semaphore) -> Mapping[str, Any]:
        """One operation as a call of its own. A lost answer concerns this record alone."""
        path, headers = f"/{operation['ressource']}", {}
        if operation["methode"] == "PATCH":
            path, headers = f"{path}/{operation['id']}", {"If-Match": f'"{operation["if_match"]}"'}
        elif operation["idempotenz"]:
            headers = {"Idempotency-Key": operation["idempotenz"]}
        async with gate:
            try:
                answer = await self._transport.call(
                    operation["methode"], path, endpoint="write", body=operation["daten"], headers=headers
                )
            except CrmError as error:
                return {"ref": operation["ref"], "status": 0, "fehler": {"code": type(error).__name__.lower()}}
        row = {"ref": operation["ref"], "status": answer.status}
        return row | ({"daten": answer.body} if answer.status < 300 else {"fehler": answer.body})

    def _result(self, object_type: ObjectType, write: Write, row: Mapping[str, Any]) -> WriteResult:
        if row["status"] not in (200, 201):
            return of_record(write.ref, int(row["status"]), row.get("fehler") or {})
        record = row["daten"]
        if object_type is ObjectType.CONTACT and "ansprechpartner" in record:
            record = record["ansprechpartner"]
        seen = seen_of(record, object_type, self._fields[object_type])
        values = returned_values(self._fields[object_type], record, write.values)
        seen = msgspec.structs.replace(seen, values=values)
        created = row["status"] == 201
        # falcana keeps every person under an Adresse: the relation can be moved, never removed.
        placed = write.parent_id is not None and (created or bool(write.parent_id))
        return Written(ref=write.ref, seen=seen, created=created, parent_written=placed)

    def _post(self, object_type: ObjectType, write: Write) -> Operation:
        body = self._body(object_type, write)
        resource = RESOURCE[ObjectType.COMPANY]
        if object_type is ObjectType.COMPANY:
            body |= msgspec.to_builtins(self._defaults)
        elif write.parent_id:
            resource = RESOURCE[ObjectType.CONTACT]
            body["adresse_id"] = int(write.parent_id)
        else:
            body = self._private_person(write, body)
        operation = {"ref": str(write.ref), "methode": "POST", "ressource": resource, "daten": body}
        return operation | {"idempotenz": write.idempotency_key}

    def _private_person(self, write: Write, person: dict[str, Any]) -> dict[str, Any]:
        """A person without a company is an Adresse of its own, made together with its Ansprechpartner (Q8)."""
        names = [write.values.get(name, EMPTY).text for name in ("first_name", "last_name")]
        name = " ".join(part for part in names if part) or write.values.get("email", EMPTY).text
        defaults = msgspec.to_builtins(msgspec.structs.replace(self._defaults, adressart=PRIVATE))
        return {**defaults, "name1": name or "Privatperson", "ansprechpartner": person}

    def _patch(self, object_type: ObjectType, write: Write) -> Operation:
        body = self._body(object_type, write)
        if write.parent_id:
            body["adresse_id"] = int(write.parent_id)
        operation: Operation = {"ref": str(write.ref), "methode": "PATCH", "ressource": RESOURCE[object_type]}
        operation |= {"id": int(write.record_id)}
        return operation | {"if_match": write.version, "daten": body}

    def _body(self, object_type: ObjectType, write: Write) -> dict[str, Any]:
        body = body_of(self._fields[object_type], write.values)
        if write.marker:
            body.setdefault("individualfelder", {})[HUBSPOT_ID_FIELDS[object_type]] = write.marker
        return body

    def _without_bad_fields(
        self, object_type: ObjectType, writes: Sequence[Write], results: Mapping[int, WriteResult]
    ) -> tuple[list[Write], dict[int, dict[str, str]]]:
        """Records with fields that falcana will not take: the rest is written once more without them."""
        names = {rule.falcana: rule.name for rule in self._fields[object_type]}
        again: list[Write] = []
        refused: dict[int, dict[str, str]] = {}
        for write in writes:
            result = results.get(write.ref)
            if not isinstance(result, Rejected) or not result.fields:
                continue
            bad = {names[wire]: code for wire, code in result.fields.items() if names.get(wire) in write.values}
            rest = {name: value for name, value in write.values.items() if name not in bad}
            if bad:
                refused[write.ref] = bad
            if bad and (rest or write.marker or write.parent_id):
                # Another body needs another key, and the same one whenever this is tried again.
                key = write.idempotency_key and f"{write.idempotency_key}-without-{'-'.join(sorted(bad))}"
                again.append(msgspec.structs.replace(write, values=rest, idempotency_key=key))
        return again, refused
