"""Write falcana records in batches of operations, one answer per operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.fields import HUBSPOT_ID_FIELDS
from schemas.records import EMPTY, ObjectType
from schemas.seen import Presence, SideSeen
from services.crm import Rejected, Unclear, Write, WriteResult, Written
from services.falcana.errors import of_record, whole_call
from services.falcana.mapping import PRIVATE, Rules, body_of, seen_of
from services.transport import Transport

MANY = 100


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a new Adresse needs and HubSpot does not know."""

    adressart: str
    zustaendiger_user_id: int
    vertriebsgruppe_id: int


class FalcanaWriter:
    """Creates and updates falcana records."""

    def __init__(self, transport: Transport, fields: Mapping[ObjectType, Rules], defaults: Defaults) -> None:
        self._transport = transport
        self._fields = fields
        self._defaults = defaults

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """One POST per record; a repeat gets the first answer again."""
        return await self._carry_out(object_type, writes, self._post)

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """One PATCH per record, refused when its version is not the newest."""
        return await self._carry_out(object_type, writes, self._patch)

    async def _carry_out(self, object_type: ObjectType, writes: Sequence[Write], shape: Any) -> list[WriteResult]:
        results: dict[int, WriteResult] = {}
        for start in range(0, len(writes), MANY):
            results |= await self._batch(object_type, writes[start : start + MANY], shape)
        again, refused = self._without_bad_fields(object_type, writes, results)
        if again:
            for ref, result in (await self._batch(object_type, again, shape)).items():
                with_refused = isinstance(result, Written)
                results[ref] = msgspec.structs.replace(result, refused=refused[ref]) if with_refused else result
        for ref in refused.keys() - {write.ref for write in again}:
            write = next(one for one in writes if one.ref == ref)
            seen = SideSeen(presence=Presence.PRESENT, record_id=write.record_id, version=write.version)
            results[ref] = Written(ref=ref, seen=seen, refused=refused[ref])
        return [results.get(write.ref, Unclear(ref=write.ref, reason="no answer")) for write in writes]

    async def _batch(self, object_type: ObjectType, writes: Sequence[Write], shape: Any) -> dict[int, WriteResult]:
        operations = [shape(object_type, write) for write in writes]
        answer = await self._transport.call("POST", "/stapel", endpoint="stapel", body={"operationen": operations})
        if answer.status != 200:
            raise whole_call(answer)
        by_ref = {write.ref: write for write in writes}
        results: dict[int, WriteResult] = {}
        for row in answer.body.get("ergebnisse", []):
            write = by_ref.get(int(row["ref"]))
            if write is not None:
                results[write.ref] = self._result(object_type, write, row)
        return results

    def _result(self, object_type: ObjectType, write: Write, row: Mapping[str, Any]) -> WriteResult:
        if row["status"] not in (200, 201):
            return of_record(write.ref, int(row["status"]), row.get("fehler") or {})
        record = row["daten"]
        if object_type is ObjectType.CONTACT and "ansprechpartner" in record:
            record = record["ansprechpartner"]
        seen = seen_of(record, object_type, self._fields[object_type])
        seen = msgspec.structs.replace(seen, values={k: v for k, v in seen.values.items() if k in write.values})
        return Written(
            ref=write.ref, seen=seen, created=row["status"] == 201, parent_written=write.parent_id is not None
        )

    def _post(self, object_type: ObjectType, write: Write) -> dict[str, Any]:
        body = self._body(object_type, write)
        resource = "adressen"
        if object_type is ObjectType.COMPANY:
            body |= msgspec.to_builtins(self._defaults)
        elif write.parent_id:
            resource = "ansprechpartner"
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

    def _patch(self, object_type: ObjectType, write: Write) -> dict[str, Any]:
        body = self._body(object_type, write)
        if write.parent_id:
            body["adresse_id"] = int(write.parent_id)
        resource = "adressen" if object_type is ObjectType.COMPANY else "ansprechpartner"
        operation = {"ref": str(write.ref), "methode": "PATCH", "ressource": resource, "id": int(write.record_id)}
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
                again.append(msgspec.structs.replace(write, values=rest))
        return again, refused
