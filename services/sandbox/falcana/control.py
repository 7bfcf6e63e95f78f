"""The control interface: act as a person in falcana, look inside, and set the conditions. Not part of falcana."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web

from services.sandbox.falcana.state import PERSON, Database, Row, ms_of
from services.sandbox.falcana.webhooks import Hook

SWITCHES = ("lose_next", "duplicate_next", "lose_all")


class Control:
    """Handlers of /_control."""

    def __init__(self, database: Database, hook: Hook, calls: Counter[str], statuses: Counter[str]) -> None:
        self.database, self.hook, self.calls, self.statuses = database, hook, calls, statuses

    def add_routes(self, app: web.Application) -> None:
        """Everything a demo, a journey or a benchmark needs."""
        kind = "/_control/records/{kind:adressen|ansprechpartner}"
        app.add_routes(
            [
                web.get(kind, self.all),
                web.post(kind, self.create),
                web.post(f"{kind}/merge", self.merge),
                web.get(f"{kind}/{{id:\\d+}}", self.show),
                web.patch(f"{kind}/{{id:\\d+}}", self.edit),
                web.delete(f"{kind}/{{id:\\d+}}", self.delete),
                web.post(f"{kind}/{{id:\\d+}}/restore", self.restore),
                web.post(f"{kind}/{{id:\\d+}}/anonymise", self.anonymise),
                web.post(f"{kind}/{{id:\\d+}}/hide", self.hide),
                web.post(f"{kind}/{{id:\\d+}}/unhide", self.unhide),
                web.post("/_control/import", self.load),
                web.get("/_control/webhooks", self.webhooks),
                web.post("/_control/webhooks", self.set_webhooks),
                web.post("/_control/webhooks/flush", self.flush),
                web.post("/_control/clock", self.set_clock),
                web.post("/_control/feed/forget", self.forget),
                web.get("/_control/stats", self.stats),
                web.post("/_control/stats/reset", self.reset),
                web.get("/_control/writes", self.writes),
            ]
        )

    def _row(self, request: web.Request) -> tuple[str, Row]:
        kind, record_id = request.match_info["kind"], int(request.match_info["id"])
        row = self.database.rows[kind].get(record_id)
        if row is None:
            raise web.HTTPNotFound
        return kind, row

    async def all(self, request: web.Request) -> web.Response:
        """Every record."""
        return web.json_response([row.body for row in self.database.rows[request.match_info["kind"]].values()])

    async def show(self, request: web.Request) -> web.Response:
        """One record."""
        return web.json_response(self._row(request)[1].body)

    async def create(self, request: web.Request) -> web.Response:
        """A person creates a record; defaults are filled as a form would."""
        kind, data = request.match_info["kind"], await request.json()
        if kind == "adressen":
            data = {"adressart": "firma", "zustaendiger_user_id": 7, "vertriebsgruppe_id": 3, **data}
        return web.json_response(self.database.create(kind, data, PERSON).body, status=201)

    async def edit(self, request: web.Request) -> web.Response:
        """A person changes fields."""
        kind, row = self._row(request)
        self.database.update(kind, row, await request.json(), PERSON)
        return web.json_response(row.body)

    async def delete(self, request: web.Request) -> web.Response:
        """A person deletes a record."""
        kind, row = self._row(request)
        self.database.delete(kind, row, PERSON)
        return web.json_response({})

    async def restore(self, request: web.Request) -> web.Response:
        """A person restores a record."""
        row = self.database.restore(request.match_info["kind"], int(request.match_info["id"]), PERSON)
        return web.json_response(row.body)

    async def anonymise(self, request: web.Request) -> web.Response:
        """A person's data is removed for good."""
        kind, row = self._row(request)
        self.database.delete(kind, row, PERSON, "dsgvo")
        return web.json_response({})

    async def merge(self, request: web.Request) -> web.Response:
        """A person merges two records."""
        body = await request.json()
        row = self.database.merge(request.match_info["kind"], int(body["ziel_id"]), int(body["verlierer_id"]), PERSON)
        return web.json_response(row.body)

    async def hide(self, request: web.Request) -> web.Response:
        """The record goes into a Vertriebsgruppe the interface cannot see."""
        self._row(request)[1].hidden = True
        return web.json_response({})

    async def unhide(self, request: web.Request) -> web.Response:
        """And comes back."""
        self._row(request)[1].hidden = False
        return web.json_response({})

    async def load(self, request: web.Request) -> web.Response:
        """Fill the database; people name their Adresse by its index. Silent unless asked otherwise."""
        body = await request.json()
        quiet = not body.get("events", False)
        at_ms = ms_of(body["modified_at"]) if body.get("modified_at") else 0
        filled = {"adressart": "firma", "zustaendiger_user_id": 7, "vertriebsgruppe_id": 3}
        made = [
            self.database.create("adressen", {**filled, **one}, PERSON, at_ms=at_ms, quiet=quiet).body["id"]
            for one in body.get("adressen", [])
        ]
        people = []
        for one in body.get("ansprechpartner", []):
            data = {**one, "adresse_id": made[one["adresse"]]}
            people.append(self.database.create("ansprechpartner", data, PERSON, at_ms=at_ms, quiet=quiet).body["id"])
        return web.json_response({"adressen": made, "ansprechpartner": people})

    async def webhooks(self, _request: web.Request) -> web.Response:
        """What became of deliveries."""
        return web.json_response({"pending": self.hook.sender.pending, **vars(self.hook.sender.counters)})

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
        await self.hook.sender.flush()
        return web.json_response({})

    async def set_clock(self, request: web.Request) -> web.Response:
        """How wrong falcana's clock is."""
        self.database.clock_offset_ms = int((await request.json())["offset_ms"])
        return web.json_response({})

    async def forget(self, request: web.Request) -> web.Response:
        """Older feed positions answer 410 from now on."""
        self.database.forgotten_seq = int((await request.json())["bis_seq"])
        return web.json_response({})

    async def stats(self, _request: web.Request) -> web.Response:
        """What was called and written through the API."""
        body: dict[str, Any] = {"calls": dict(self.calls), "total_calls": sum(self.calls.values())}
        body |= {"by_status": dict(self.statuses), "records_written": len(self.database.writes)}
        return web.json_response(body | {"field_writes": self.database.field_writes})

    async def reset(self, _request: web.Request) -> web.Response:
        """Count from zero."""
        self.calls.clear()
        self.statuses.clear()
        self.database.writes.clear()
        self.database.field_writes = 0
        return web.json_response({})

    async def writes(self, _request: web.Request) -> web.Response:
        """Every write through the API, in order."""
        return web.json_response(self.database.writes)
