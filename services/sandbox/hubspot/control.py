"""The control interface, first part: act as a person in HubSpot, and look inside. Not part of HubSpot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import fault, not_found
from services.sandbox.hubspot.inbound import body_of, kind_of, wants_archived
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import BULK, PERSON, Record
from services.sandbox.hubspot.relations import PRIMARY
from services.sandbox.hubspot.values import moment_ms
from services.sandbox.hubspot.views import property_value
from services.sandbox.hubspot.writer import Writer


class People:
    """Handlers of /_control/records and what else people do. Their writes are checked like those of the API."""

    def __init__(self, portal: Portal, writer: Writer) -> None:
        self.portal = portal
        self.writer = writer

    def add_routes(self, app: web.Application) -> None:
        """Everything a person can do."""
        records = "/_control/records/{type}"
        app.add_routes(
            [
                web.get(records, self.all),
                web.post(records, self.create),
                web.post(f"{records}/merge", self.merge),
                web.post(f"{records}/bulk-delete", self.bulk_delete),
                web.get(f"{records}/{{id}}", self.show),
                web.patch(f"{records}/{{id}}", self.edit),
                web.delete(f"{records}/{{id}}", self.delete),
                web.post(f"{records}/{{id}}/restore", self.restore),
                web.put("/_control/contacts/{id}/primary-company", self.place),
                web.post("/_control/contacts/{id}/privacy-delete", self.erase),
                web.post("/_control/import", self.load),
            ]
        )

    def _view(self, record: Record) -> dict[str, Any]:
        """All properties that hold a value, and where the record stands."""
        more = {"modified": property_value(self.portal, record, "hs_lastmodifieddate"), "archived": record.archived}
        company = self.portal.primary_company(record.id) if record.type == "contacts" else ""
        held = {name: value for name, value in record.properties.items() if value}
        return {"id": record.id, "properties": held, **more, "primaryCompanyId": company or None}

    def _known(self, kind: str, record_id: Any, archived: bool = False) -> Record:
        record = self.portal.get(kind, str(record_id), archived)
        if record is None:
            raise not_found()
        return record

    def _asked(self, request: web.Request, archived: bool = False) -> Record:
        return self._known(kind_of(request), request.match_info["id"], archived)

    async def all(self, request: web.Request) -> web.Response:
        """Every active or archived record."""
        found = self.portal.active(kind_of(request), wants_archived(request))
        return web.json_response([self._view(one) for one in found])

    async def show(self, request: web.Request) -> web.Response:
        """One record, active or archived, also by a merged id."""
        kind, record_id = kind_of(request), request.match_info["id"]
        record = self.portal.get(kind, record_id) or self.portal.get(kind, record_id, archived=True)
        return web.json_response(self._view(record)) if record else web.json_response({}, status=404)

    async def create(self, request: web.Request) -> web.Response:
        """A person creates a record, a contact perhaps under a company."""
        kind, body = kind_of(request), await body_of(request)
        properties = body.get("properties") or {}
        self.writer.check_create(kind, properties)
        company = self._known("companies", body["companyId"]) if body.get("companyId") else None
        record, _ = self.portal.create(kind, properties, PERSON)
        if company is not None:
            self.portal.relate(record.id, company.id, [PRIMARY], PERSON)
        return web.json_response(self._view(record), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """A person changes fields."""
        record, properties = self._asked(request), (await body_of(request)).get("properties") or {}
        self.writer.check_update(record, properties)
        self.portal.update(record, properties, PERSON)
        return web.json_response(self._view(record))

    async def delete(self, request: web.Request) -> web.Response:
        """A person deletes a record."""
        self.portal.archive(self._asked(request), PERSON)
        return web.json_response({})

    async def bulk_delete(self, request: web.Request) -> web.Response:
        """Several records deleted from a list view; the events come newest first."""
        ids = (await body_of(request)).get("ids") or []
        for record in [self._known(kind_of(request), one) for one in reversed(ids)]:
            self.portal.archive(record, BULK)
        return web.json_response({})

    async def restore(self, request: web.Request) -> web.Response:
        """A person restores a record, unless an active contact has its e-mail or 90 days have passed."""
        record = self._asked(request, archived=True)
        refusal = self.portal.restore(record, PERSON)
        if refusal:
            raise fault(409, refusal, "CONFLICT")
        return web.json_response(self._view(record))

    async def merge(self, request: web.Request) -> web.Response:
        """A person merges two records into a third."""
        kind, body = kind_of(request), await body_of(request)
        winner = self._known(kind, body.get("primaryObjectId"))
        loser = self._known(kind, body.get("objectIdToMerge"))
        if winner is loser:
            raise fault(400, "a record cannot be merged with itself")
        return web.json_response(self._view(self.portal.merge(winner, loser, PERSON)))

    async def place(self, request: web.Request) -> web.Response:
        """A person sets the primary company (the old one stays related) or removes it with the whole relation."""
        contact = self._known("contacts", request.match_info["id"])
        company = (await body_of(request)).get("companyId")
        if company:
            self.portal.relate(contact.id, self._known("companies", company).id, [PRIMARY], PERSON)
        elif before := self.portal.relations.primary_of(contact.id):
            self.portal.unrelate(contact.id, before, None, PERSON)
        return web.json_response(self._view(contact))

    async def erase(self, request: web.Request) -> web.Response:
        """A person erases a contact for good."""
        self.portal.erase(self._known("contacts", request.match_info["id"]), PERSON)
        return web.json_response({})

    async def load(self, request: web.Request) -> web.Response:
        """Fill the account; answers the ids in order. Silent unless ``events`` is true.

        ``{companies: [{properties}], contacts: [{properties, company: index}], modified_at?: ISO, events?}``; an entry
        may also hold its properties directly. All are checked before any is made.
        """
        body = await body_of(request)
        quiet, at_ms = not body.get("events", False), _moment_of(body)
        companies = [_entry(one) for one in body.get("companies") or []]
        contacts = [_entry(one) for one in body.get("contacts") or []]
        for kind, entries in (("companies", companies), ("contacts", contacts)):
            for properties, _ in entries:
                self.writer.check_create(kind, properties)
        made = [self._load("companies", properties, at_ms, quiet).id for properties, _ in companies]
        people = []
        for properties, index in contacts:
            record = self._load("contacts", properties, at_ms, quiet)
            people.append(record.id)
            if index is not None and quiet:
                self.portal.relations.relate(record.id, made[index], [PRIMARY])
            elif index is not None:
                self.portal.relate(record.id, made[index], [PRIMARY], PERSON)
        return web.json_response({"companies": made, "contacts": people})

    def _load(self, kind: str, properties: Mapping[str, Any], at_ms: int, quiet: bool) -> Record:
        return self.portal.create(kind, properties, PERSON, at_ms=at_ms, quiet=quiet)[0]


def _entry(one: Mapping[str, Any]) -> tuple[Mapping[str, Any], int | None]:
    """Properties and the index of the company."""
    if isinstance(one.get("properties"), dict):
        return one["properties"], one.get("company")
    return {name: value for name, value in one.items() if name != "company"}, one.get("company")


def _moment_of(body: Mapping[str, Any]) -> int:
    """When the records were changed last; 0 for now."""
    return moment_ms(str(body["modified_at"])) if body.get("modified_at") else int(body.get("modified_ms") or 0)
