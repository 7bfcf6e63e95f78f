"""The objects API in batches of 100: rows fail alone where HubSpot lets them, and all together where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Fault, Row, batch, fault
from services.sandbox.hubspot.inbound import (
    MOST_INPUTS,
    MOST_WITH_HISTORY,
    body_of,
    inputs_of,
    kind_of,
    refuse_duplicates,
    wants_archived,
)
from services.sandbox.hubspot.objects_api import PREFIXES, found_by
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import SINGULAR, Record
from services.sandbox.hubspot.views import record_view
from services.sandbox.hubspot.writer import Writer

Work = Callable[[Row], Record | None]
"""Carries out one input; None leaves it out of the results without a word."""


class Missing(Exception):
    """The input names a record that is not there."""


class Batches:
    """Handlers of /crm/objects/{version}/{type}/batch."""

    def __init__(self, portal: Portal, writer: Writer) -> None:
        self.portal = portal
        self.writer = writer

    def add_routes(self, app: web.Application) -> None:
        """All paths, for the dated versions and for v3."""
        handlers = {
            "read": self.read,
            "create": self.create,
            "update": self.update,
            "upsert": self.upsert,
            "archive": self.archive,
        }
        for prefix in PREFIXES:
            app.add_routes([web.post(f"{prefix}/batch/{verb}", handler) for verb, handler in handlers.items()])

    async def read(self, request: web.Request) -> web.Response:
        """100 records, 50 with history. What is not there, and what was merged away, is one error row."""
        kind, body = kind_of(request), await body_of(request)
        history, id_property = body.get("propertiesWithHistory") or None, body.get("idProperty")
        inputs = inputs_of(body, MOST_WITH_HISTORY if history else MOST_INPUTS, needs=["id"])
        refuse_duplicates(inputs)
        names = [*(body.get("properties") or ()), *(history or ())]
        results, missing = [], []
        for one in inputs:
            record = found_by(self.portal, kind, str(one["id"]), id_property, wants_archived(request))
            if record is None or (not id_property and record.id != str(one["id"])):
                missing.append(one)
            else:
                results.append(record_view(self.portal, record, names, history))
        return self._answer(kind, results, [], missing)

    async def create(self, request: web.Request) -> web.Response:
        """Rows fail alone only when every input has a trace id; otherwise a bad row fails all and none is written."""
        kind, inputs = kind_of(request), inputs_of(await body_of(request))
        traced = all("objectWriteTraceId" in one for one in inputs)
        if not traced:
            self._check_together(kind, inputs)

        def create(one: Row) -> Record:
            properties = one.get("properties") or {}
            self.writer.check_create(kind, properties)
            return self.writer.create(kind, properties)

        return self._rows(kind, inputs, create, made=True)

    def _check_together(self, kind: str, inputs: Iterable[Row]) -> None:
        """Raise for the first bad row, also when two rows want the same unique value."""
        taken: set[tuple[str, str]] = set()
        for one in inputs:
            properties = one.get("properties") or {}
            self.writer.check_create(kind, properties, alone=False)
            unique = {(name, str(value).strip().lower()) for name, value in properties.items() if value}
            unique = {pair for pair in unique if self.portal.is_unique(kind, pair[0])}
            if unique & taken:
                raise fault(409, "Contact already exists", "CONFLICT")
            taken |= unique

    async def update(self, request: web.Request) -> web.Response:
        """An id that was merged away is left out without an error (seen in the wild)."""
        kind, inputs = kind_of(request), inputs_of(await body_of(request), needs=["id"])
        refuse_duplicates(inputs)

        def update(one: Row) -> Record | None:
            known = self.portal.records[kind].get(str(one["id"]))
            if known is not None and known.merged_into:
                return None
            record = found_by(self.portal, kind, str(one["id"]), one.get("idProperty"))
            if record is None:
                raise Missing
            properties = one.get("properties") or {}
            self.writer.check_update(record, properties)
            self.writer.update(record, properties)
            return record

        return self._rows(kind, inputs, update)

    async def upsert(self, request: web.Request) -> web.Response:
        """Create or update by a unique property; by e-mail, one bad row fails the batch and nothing is written."""
        kind, inputs = kind_of(request), inputs_of(await body_of(request), needs=["id", "idProperty"])
        refuse_duplicates(inputs)
        if any(one["idProperty"] == "email" for one in inputs):
            for one in inputs:
                self._check_upsert(kind, one)
        made: set[str] = set()

        def upsert(one: Row) -> Record:
            record, properties = self._check_upsert(kind, one)
            if record is None:
                record = self.writer.create(kind, properties)
                made.add(record.id)
            else:
                self.writer.update(record, properties)
            return record

        return self._rows(kind, inputs, upsert, new=made)

    def _check_upsert(self, kind: str, one: Row) -> tuple[Record | None, Row]:
        """The record that is meant, None for a new one, and what is to be written. Raises 400 or 409."""
        name, properties = one["idProperty"], dict(one.get("properties") or {})
        record = found_by(self.portal, kind, str(one["id"]), name)
        if record is None:
            properties = {**properties, name: one["id"]}
            self.writer.check_create(kind, properties)
        else:
            self.writer.check_update(record, properties)
        return record, properties

    def _rows(
        self, kind: str, inputs: list[Row], work: Work, *, made: bool = False, new: set[str] | None = None
    ) -> web.Response:
        """Carry out row by row; results come in any order."""
        results, errors, missing = [], [], []
        for one in inputs:
            try:
                record = work(one)
            except Missing:
                missing.append(one)
                continue
            except Fault as error:
                errors.append(error.as_row(one.get("objectWriteTraceId")))
                continue
            if record is not None:
                results.append(self._result(record, one) | ({} if new is None else {"new": record.id in new}))
        self.portal.rng.shuffle(results)
        return self._answer(kind, results, errors, missing, made=made)

    def _result(self, record: Record, one: Row) -> Row:
        names = [*(one.get("properties") or ()), *([one["idProperty"]] if one.get("idProperty") else ())]
        view = record_view(self.portal, record, names)
        trace = one.get("objectWriteTraceId")
        return view if trace is None else view | {"objectWriteTraceId": trace}

    def _answer(
        self, kind: str, results: list[Row], errors: list[Row], missing: list[Row], *, made: bool = False
    ) -> web.Response:
        rows = [*errors, *([_not_found(kind, missing)] if missing else [])]
        return batch(results, rows, self.portal.now_ms(), made=made)

    async def archive(self, request: web.Request) -> web.Response:
        """204 whatever was there."""
        kind, inputs = kind_of(request), inputs_of(await body_of(request), needs=["id"])
        for one in inputs:
            record = self.portal.get(kind, str(one["id"]))
            if record is not None:
                self.writer.archive(record)
        return web.Response(status=204)


def _not_found(kind: str, missing: list[Row]) -> Row:
    """One row for all ids that are not there; the trace ids stand in one text (seen in the wild)."""
    context: dict[str, Any] = {"ids": [str(one["id"]) for one in missing]}
    traces = [str(one["objectWriteTraceId"]) for one in missing if "objectWriteTraceId" in one]
    if traces:
        context["objectWriteTraceId"] = [",".join(traces)]
    word = SINGULAR[kind].upper()
    message = f"Could not get some {word} objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": context}
