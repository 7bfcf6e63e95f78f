"""The control interface: act as a person in HubSpot, look inside, and set the conditions. Not part of HubSpot."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Fault, fault, invalid, property_value
from services.sandbox.hubspot.definitions import fault_of
from services.sandbox.hubspot.limits import Meter
from services.sandbox.hubspot.portal import BULK, PERSON, Portal, Record
from services.sandbox.hubspot.webhooks import Hook

SWITCHES = ("lose_next", "duplicate_next", "reorder_next", "lose_all", "echo_own")


class Control:
    """Handlers of /_control."""

    def __init__(self, portal: Portal, hook: Hook, meter: Meter) -> None:
        self.portal, self.hook, self.meter = portal, hook, meter

    def add_routes(self, app: web.Application) -> None:
        """Everything a demo, a journey or a benchmark needs."""
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
                web.get("/_control/webhooks", self.webhooks),
                web.post("/_control/webhooks", self.set_webhooks),
                web.post("/_control/webhooks/flush", self.flush),
                web.post("/_control/search", self.set_search),
                web.post("/_control/clock", self.set_clock),
                web.get("/_control/stats", self.stats),
                web.post("/_control/stats/reset", self.reset),
                web.get("/_control/writes", self.writes),
            ]
        )

    def _json(self, record: Record) -> dict[str, Any]:
        return {
            "id": record.id,
            "properties": {name: value for name, value in record.properties.items() if value},
            "modified": property_value(self.portal, record, "hs_lastmodifieddate"),
            "archived": bool(record.archived_ms),
            "primaryCompanyId": self.portal.primary_company(record.id) or None,
        }

    def _find(self, request: web.Request, archived: bool = False) -> Record:
        record = self.portal.get(request.match_info["type"], request.match_info["id"], archived)
        if record is None:
            raise web.HTTPNotFound
        return record

    def _check(self, kind: str, properties: dict[str, Any]) -> None:
        found = {
            name: fault_of(self.portal.definitions[kind].get(name), name, value) for name, value in properties.items()
        }
        bad = {name: one for name, one in found.items() if one}
        if bad:
            raise invalid(bad)
        email = properties.get("email")
        if email and kind == "contacts" and self.portal.by_unique(kind, "email", email):
            raise fault(409, "Contact already exists", "CONFLICT")

    async def all(self, request: web.Request) -> web.Response:
        """Every active or archived record."""
        archived = request.query.get("archived") == "true"
        return web.json_response([self._json(one) for one in self.portal.active(request.match_info["type"], archived)])

    async def show(self, request: web.Request) -> web.Response:
        """One record, wherever it is."""
        kind, record_id = request.match_info["type"], request.match_info["id"]
        record = self.portal.get(kind, record_id) or self.portal.get(kind, record_id, archived=True)
        return web.json_response(self._json(record)) if record else web.json_response({}, status=404)

    async def create(self, request: web.Request) -> web.Response:
        """A person creates a record, perhaps under a company."""
        kind, body = request.match_info["type"], await request.json()
        self._check(kind, body["properties"])
        record = self.portal.create(kind, body["properties"], PERSON)
        if body.get("companyId"):
            self.portal.relate(record.id, str(body["companyId"]), 1, PERSON)
        return web.json_response(self._json(record), status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """A person changes fields."""
        record, properties = self._find(request), (await request.json())["properties"]
        changed = {name: value for name, value in properties.items() if record.properties.get(name, "") != value}
        self._check(record.type, changed)
        self.portal.update(record, properties, PERSON)
        return web.json_response(self._json(record))

    async def delete(self, request: web.Request) -> web.Response:
        """A person deletes a record."""
        self.portal.archive(self._find(request), PERSON)
        return web.json_response({})

    async def bulk_delete(self, request: web.Request) -> web.Response:
        """Several records deleted from a list view; the events come newest first."""
        kind = request.match_info["type"]
        for record_id in reversed((await request.json())["ids"]):
            record = self.portal.get(kind, str(record_id))
            if record is not None:
                self.portal.archive(record, BULK)
        return web.json_response({})

    async def restore(self, request: web.Request) -> web.Response:
        """A person restores a record, unless an active contact has its e-mail."""
        record = self._find(request, archived=True)
        email = record.properties.get("email")
        if email and self.portal.by_unique(record.type, "email", email):
            raise fault(409, "an active contact has the same e-mail", "CONFLICT")
        self.portal.restore(record)
        return web.json_response(self._json(record))

    async def merge(self, request: web.Request) -> web.Response:
        """A person merges two records."""
        kind, body = request.match_info["type"], await request.json()
        winner = self.portal.get(kind, str(body["primaryObjectId"]))
        loser = self.portal.get(kind, str(body["objectIdToMerge"]))
        if winner is None or loser is None:
            raise web.HTTPNotFound
        return web.json_response(self._json(self.portal.merge(kind, winner, loser, PERSON)))

    async def place(self, request: web.Request) -> web.Response:
        """A person sets or removes the primary company of a contact."""
        contact, company = request.match_info["id"], (await request.json()).get("companyId")
        before = self.portal.primary_company(contact)
        if company:
            self.portal.relate(contact, str(company), 1, PERSON)
        if before and before != company:
            self.portal.unrelate(contact, before, PERSON)
        return web.json_response({"primaryCompanyId": self.portal.primary_company(contact) or None})

    async def erase(self, request: web.Request) -> web.Response:
        """A person erases a contact for good."""
        record = self.portal.get("contacts", request.match_info["id"])
        if record is None:
            raise web.HTTPNotFound
        self.portal.erase(record)
        return web.json_response({})

    async def load(self, request: web.Request) -> web.Response:
        """Fill the account: companies, and contacts with the index of their company. Silent unless asked otherwise."""
        body = await request.json()
        quiet, at_ms = not body.get("events", False), int(body.get("modified_ms") or 0)
        companies = [
            self.portal.create("companies", one, PERSON, at_ms=at_ms, quiet=quiet).id
            for one in body.get("companies", [])
        ]
        contacts = []
        for one in body.get("contacts", []):
            index = one.pop("company", None)
            record = self.portal.create("contacts", one, PERSON, at_ms=at_ms, quiet=quiet)
            if index is not None:
                self.portal.relations[record.id] = {companies[index]: {1, 279}}
            contacts.append(record.id)
        return web.json_response({"companies": companies, "contacts": contacts})

    async def webhooks(self, _request: web.Request) -> web.Response:
        """What became of deliveries."""
        counters = self.hook.sender.counters
        return web.json_response({"pending": self.hook.sender.pending, **vars(counters)})

    async def set_webhooks(self, request: web.Request) -> web.Response:
        """Where to send to, and what to do wrong."""
        for name, value in (await request.json()).items():
            if name == "url":
                self.hook.sender.url = value
            elif name == "paused":
                self.hook.sender.pause(bool(value))
            elif name in SWITCHES:
                setattr(self.hook, name, value)
            else:
                return web.json_response({"error": f"unknown switch {name}"}, status=400)
        return web.json_response({})

    async def flush(self, _request: web.Request) -> web.Response:
        """Answers when every event is delivered."""
        await self.hook.flush()
        return web.json_response({})

    async def set_search(self, request: web.Request) -> web.Response:
        """How late the search index is."""
        self.portal.search_lag_ms = int((await request.json())["lag_ms"])
        return web.json_response({})

    async def set_clock(self, request: web.Request) -> web.Response:
        """How wrong the account's clock is."""
        self.portal.clock_offset_ms = int((await request.json())["offset_ms"])
        return web.json_response({})

    async def stats(self, _request: web.Request) -> web.Response:
        """What was called and written through the API."""
        changed = [one for one in self.portal.writes if one["op"] in ("create", "update", "archive")]
        return web.json_response(
            {
                "calls": dict(self.meter.calls),
                "total_calls": sum(self.meter.calls.values()),
                "by_status": dict(self.meter.by_status),
                "max_in_10s": self.meter.most_in_10s,
                "records_written": len(changed),
                "writes": len(self.portal.writes),
            }
        )

    async def reset(self, _request: web.Request) -> web.Response:
        """Count from zero."""
        self.meter.reset()
        self.portal.writes.clear()
        return web.json_response({})

    async def writes(self, _request: web.Request) -> web.Response:
        """Every write through the API, in order."""
        return web.json_response(self.portal.writes)


@web.middleware
async def control_faults(request: web.Request, handler: Any) -> web.StreamResponse:
    """Faults of control calls as plain answers."""
    try:
        response: web.StreamResponse = await handler(request)
    except Fault as error:
        return web.json_response(error.body, status=error.status)
    return response
