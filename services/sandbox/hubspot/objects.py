"""The objects API: single records and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Fault, answer, batch_json, fault, invalid, record_json
from services.sandbox.hubspot.definitions import fault_of
from services.sandbox.hubspot.portal import SINGULAR, Portal, Record, Source

KINDS = {"contacts": "contacts", "companies": "companies", "0-1": "contacts", "0-2": "companies"}
MOST_INPUTS = 100
MOST_WITH_HISTORY = 50


def kind_of(request: web.Request) -> str:
    """The object type of the path."""
    kind = KINDS.get(request.match_info["type"])
    if kind is None:
        raise fault(400, f"Unable to infer object type from: {request.match_info['type']}")
    return kind


class Objects:
    """Handlers of /crm/objects/{version}/{type}."""

    def __init__(self, portal: Portal, own: Source) -> None:
        self.portal = portal
        self.own = own

    def add_routes(self, app: web.Application) -> None:
        """All paths, for the dated versions and for v3."""
        for prefix in ("/crm/objects/{version}/{type}", "/crm/{version}/objects/{type}"):
            app.add_routes(
                [
                    web.get(prefix, self.page),
                    web.post(prefix, self.create),
                    web.post(f"{prefix}/batch/read", self.batch_read),
                    web.post(f"{prefix}/batch/create", self.batch_create),
                    web.post(f"{prefix}/batch/update", self.batch_update),
                    web.post(f"{prefix}/batch/upsert", self.batch_upsert),
                    web.post(f"{prefix}/batch/archive", self.batch_archive),
                    web.post(f"{prefix}/merge", self.merge),
                    web.post(f"{prefix}/gdpr-delete", self.erase),
                    web.get(f"{prefix}/{{id}}", self.read),
                    web.patch(f"{prefix}/{{id}}", self.update),
                    web.delete(f"{prefix}/{{id}}", self.archive),
                ]
            )

    async def page(self, request: web.Request) -> web.Response:
        """A page of records by id."""
        kind, limit = kind_of(request), int(request.query.get("limit", "10"))
        if not 1 <= limit <= MOST_INPUTS:
            raise fault(400, "limit must be between 1 and 100", "VALIDATION_ERROR")
        after = int(request.query.get("after", "0"))
        archived = request.query.get("archived") == "true"
        found = [record for record in self.portal.active(kind, archived) if int(record.id) > after]
        page, names = found[:limit], _names(request)
        body: dict[str, Any] = {"results": [record_json(self.portal, one, names) for one in page]}
        if len(found) > limit:
            body["paging"] = {"next": {"after": page[-1].id, "link": "?after=" + page[-1].id}}
        return answer(body)

    async def read(self, request: web.Request) -> web.Response:
        """One record; an id that was merged away leads to the survivor."""
        kind, archived = kind_of(request), request.query.get("archived") == "true"
        record = self._find(kind, request.match_info["id"], request.query.get("idProperty"), archived)
        if record is None:
            raise fault(404, "resource not found")
        history = request.query.get("propertiesWithHistory")
        return answer(record_json(self.portal, record, _names(request), history.split(",") if history else None))

    def _find(self, kind: str, value: str, id_property: str | None, archived: bool = False) -> Record | None:
        if id_property:
            return self.portal.by_unique(kind, id_property, value)
        return self.portal.get(kind, value, archived)

    async def create(self, request: web.Request) -> web.Response:
        """201, 400 naming all bad properties, or 409 for an e-mail that exists."""
        kind, body = kind_of(request), await request.json()
        record = self._create(kind, body.get("properties") or {})
        for association in body.get("associations") or []:
            for one in association["types"]:
                self.portal.relate(record.id, str(association["to"]["id"]), one["associationTypeId"], self.own)
        return answer(record_json(self.portal, record, body.get("properties") or {}), 201)

    def _create(self, kind: str, properties: Mapping[str, Any]) -> Record:
        self._check(kind, properties)
        email = str(properties.get("email") or "").strip().lower()
        holder = self.portal.by_unique(kind, "email", email) if kind == "contacts" and email else None
        if holder is not None:
            raise fault(
                409,
                f"Contact already exists. Existing ID: {holder.id}",
                "CONFLICT",
                context={"existingId": [holder.id]},
            )
        self._check_unique(kind, properties, None)
        record = self.portal.create(kind, properties, self.own)
        self._log("create", record, properties)
        return record

    async def update(self, request: web.Request) -> web.Response:
        """200; a single update follows merged ids."""
        kind, body = kind_of(request), await request.json()
        record = self._find(kind, request.match_info["id"], request.query.get("idProperty"))
        if record is None:
            raise fault(404, "resource not found")
        self._update(record, body.get("properties") or {})
        return answer(record_json(self.portal, record, body.get("properties") or {}))

    def _update(self, record: Record, properties: Mapping[str, Any]) -> None:
        self._check(record.type, properties)
        self._check_unique(record.type, properties, record)
        self.portal.update(record, properties, self.own)
        self._log("update", record, properties)

    def _check(self, kind: str, properties: Mapping[str, Any]) -> None:
        """One bad property refuses the whole record."""
        definitions = self.portal.definitions[kind]
        found = {name: fault_of(definitions.get(name), name, value) for name, value in properties.items()}
        bad = {name: one for name, one in found.items() if one}
        if bad:
            raise invalid(bad)

    def _check_unique(self, kind: str, properties: Mapping[str, Any], own: Record | None) -> None:
        for name, value in properties.items():
            definition = self.portal.definitions[kind][name]
            if not value or not (definition.unique or (kind == "contacts" and name == "email")):
                continue
            holder = self.portal.by_unique(kind, name, str(value))
            if holder is not None and holder is not own:
                where = f"propertyName={name}, value={value}}} on {own.id if own else 'new'}"
                raise fault(
                    400,
                    f"Cannot set PropertyValueCoordinates{{portalId=1, objectTypeId=ObjectTypeId{{legacyObjectType="
                    f"{SINGULAR[kind].upper()}}}, {where}. {holder.id} already has that value.",
                    "VALIDATION_ERROR",
                )

    async def archive(self, request: web.Request) -> web.Response:
        """204, also for what is gone already."""
        record = self.portal.get(kind_of(request), request.match_info["id"])
        if record is not None:
            self.portal.archive(record, self.own)
            self._log("archive", record, {})
        return web.Response(status=204)

    async def batch_read(self, request: web.Request) -> web.Response:
        """Up to 100 records, 50 with history; ids without a record are error rows. Merged ids are not found here."""
        kind, body = kind_of(request), await request.json()
        history = body.get("propertiesWithHistory") or None
        ids = self._inputs(body, MOST_WITH_HISTORY if history else MOST_INPUTS)
        archived = request.query.get("archived") == "true"
        results, missing = [], []
        for one in ids:
            record = self._find(kind, str(one["id"]), body.get("idProperty"), archived)
            if record is None or (not body.get("idProperty") and record.id != str(one["id"])):
                missing.append(str(one["id"]))
            else:
                results.append(record_json(self.portal, record, body.get("properties") or (), history))
        errors = [_not_found(kind, missing)] if missing else []
        return batch_json(results, errors, self.portal.now_ms())

    def _inputs(self, body: Mapping[str, Any], most: int = MOST_INPUTS) -> list[dict[str, Any]]:
        inputs: list[dict[str, Any]] = body.get("inputs") or []
        if len(inputs) > most:
            raise fault(400, f"The maximum number of inputs supported in a batch request is {most}", "VALIDATION_ERROR")
        ids = [str(one["id"]) for one in inputs if "id" in one]
        doubled = sorted({one for one in ids if ids.count(one) > 1})
        if doubled:
            text = f"Duplicate IDs found in batch input: [{', '.join(doubled)}]. IDs must be unique"
            raise fault(400, text, "VALIDATION_ERROR", context={"ids": doubled})
        return inputs

    async def batch_create(self, request: web.Request) -> web.Response:
        """Rows fail alone only when every input has a trace id; otherwise one bad row fails all."""
        kind, body = kind_of(request), await request.json()
        inputs = self._inputs(body)
        traced = all("objectWriteTraceId" in one for one in inputs)
        return self._rows(inputs, lambda one: self._create(kind, one.get("properties") or {}), traced)

    async def batch_update(self, request: web.Request) -> web.Response:
        """An id that was merged away is left out without an error."""
        kind, body = kind_of(request), await request.json()

        def update(one: dict[str, Any]) -> Record | None:
            known = self.portal.records[kind].get(str(one["id"]))
            if known is not None and known.merged_into:
                return None
            record = self._find(kind, str(one["id"]), one.get("idProperty"))
            if record is None:
                raise Fault(404, _not_found(kind, [str(one["id"])]))
            self._update(record, one.get("properties") or {})
            return record

        return self._rows(self._inputs(body), update, traced=True)

    async def batch_upsert(self, request: web.Request) -> web.Response:
        """Create or update by a unique property; partial failures only with an own unique one."""
        kind, body = kind_of(request), await request.json()
        inputs = self._inputs(body)
        made: set[str] = set()

        def upsert(one: dict[str, Any]) -> Record:
            name, properties = one["idProperty"], dict(one.get("properties") or {})
            definition = self.portal.definitions[kind].get(name)
            if definition is None or not (definition.unique or name == "email"):
                raise fault(400, f"{name} is not a unique property", "VALIDATION_ERROR")
            record = self.portal.by_unique(kind, name, str(one["id"]))
            if record is not None:
                self._update(record, properties)
                return record
            record = self._create(kind, {**properties, name: one["id"]})
            made.add(record.id)
            return record

        traced = all(one.get("idProperty") != "email" for one in inputs)
        return self._rows(inputs, upsert, traced, made)

    def _rows(
        self, inputs: list[dict[str, Any]], work: Any, traced: bool, made: set[str] | None = None
    ) -> web.Response:
        """Carry out row by row.

        Untraced rows fail together, before anything is written is not promised by HubSpot either.
        """
        results, errors = [], []
        for one in inputs:
            trace = one.get("objectWriteTraceId")
            try:
                record = work(one)
            except Fault as error:
                if not traced:
                    raise
                context = {**error.body.get("context", {}), **({"objectWriteTraceId": [trace]} if trace else {})}
                errors.append({"status": "error", **error.body, "context": context})
                continue
            if record is not None:
                row = record_json(self.portal, record, one.get("properties") or ())
                row |= {"objectWriteTraceId": trace} if trace else {}
                results.append(row if made is None else row | {"new": record.id in made})
        self.portal.rng.shuffle(results)
        return batch_json(results, errors, self.portal.now_ms())

    async def batch_archive(self, request: web.Request) -> web.Response:
        """204 whatever was there."""
        kind, body = kind_of(request), await request.json()
        for one in self._inputs(body):
            record = self.portal.get(kind, str(one["id"]))
            if record is not None:
                self.portal.archive(record, self.own)
                self._log("archive", record, {})
        return web.Response(status=204)

    async def merge(self, request: web.Request) -> web.Response:
        """Two records become a third."""
        kind, body = kind_of(request), await request.json()
        winner = self.portal.get(kind, str(body["primaryObjectId"]))
        loser = self.portal.get(kind, str(body["objectIdToMerge"]))
        if winner is None or loser is None or winner is loser:
            raise fault(404, "resource not found")
        return answer(record_json(self.portal, self.portal.merge(kind, winner, loser, self.own)))

    async def erase(self, request: web.Request) -> web.Response:
        """A privacy deletion."""
        body = await request.json()
        record = self._find("contacts", str(body["objectId"]), body.get("idProperty"))
        if record is not None:
            self.portal.erase(record)
        return web.Response(status=204)

    def _log(self, op: str, record: Record, properties: Mapping[str, Any]) -> None:
        at_ms = self.portal.now_ms()
        entry = {"at_ms": at_ms, "op": op, "type": record.type, "id": record.id, "properties": dict(properties)}
        self.portal.writes.append(entry)


def _names(request: web.Request) -> list[str]:
    return [name for text in request.query.getall("properties", []) for name in text.split(",") if name]


def _not_found(kind: str, ids: list[str]) -> dict[str, Any]:
    name = SINGULAR[kind].upper()
    message = f"Could not get some {name} objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": ids}}
