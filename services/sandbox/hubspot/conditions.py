"""The control interface, second part: set the conditions, and count. Not part of HubSpot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.inbound import body_of
from services.sandbox.hubspot.limits import Meter
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.webhooks import Hook, Switches
from services.sandbox.hubspot.writer import Writer

SWITCHES = tuple(one.name for one in fields(Switches))


class Conditions:
    """Handlers of /_control for webhooks, search, clock, statistics and the list of writes."""

    def __init__(self, portal: Portal, writer: Writer, hook: Hook, meter: Meter) -> None:
        self.portal = portal
        self.writer = writer
        self.hook = hook
        self.meter = meter

    def add_routes(self, app: web.Application) -> None:
        """Everything a demo, a journey or a benchmark needs."""
        app.add_routes(
            [
                web.get("/_control/webhooks", self.webhooks),
                web.post("/_control/webhooks", self.set_webhooks),
                web.post("/_control/webhooks/flush", self.flush),
                web.post("/_control/webhooks/test", self.test),
                web.post("/_control/search", self.set_search),
                web.post("/_control/clock", self.set_clock),
                web.get("/_control/stats", self.stats),
                web.post("/_control/stats/reset", self.reset),
                web.get("/_control/writes", self.writes),
            ]
        )

    def _delivered(self) -> dict[str, Any]:
        return {"pending": self.hook.pending, **vars(self.hook.sender.counters)}

    async def webhooks(self, _request: web.Request) -> web.Response:
        """What became of deliveries, counted in requests."""
        return web.json_response(self._delivered())

    async def set_webhooks(self, request: web.Request) -> web.Response:
        """Where to send to, what to do wrong, and what not to send.

        ``unsubscribe`` and ``subscribe`` take names such as "contact.merge" or "company.propertyChange:phone".
        """
        sender, unsubscribed = self.hook.sender, self.hook.unsubscribed
        actions: dict[str, Callable[[Any], None]] = {
            "url": lambda value: setattr(sender, "url", value),
            "paused": lambda value: sender.pause(bool(value)),
            "unsubscribe": unsubscribed.update,
            "subscribe": unsubscribed.difference_update,
        } | {name: self._switch(name) for name in SWITCHES}
        body = await body_of(request)
        unknown = [name for name in body if name not in actions]
        if unknown:
            return web.json_response({"error": f"unknown switches: {', '.join(unknown)}"}, status=400)
        for name, value in body.items():
            actions[name](value)
        return web.json_response(self._delivered())

    def _switch(self, name: str) -> Callable[[Any], None]:
        return lambda value: setattr(self.hook.switches, name, value)

    async def flush(self, _request: web.Request) -> web.Response:
        """Answers when every event is delivered, lost or given up."""
        await self.hook.flush()
        return web.json_response(self._delivered())

    async def test(self, _request: web.Request) -> web.Response:
        """What the Test button of the app settings sends."""
        self.hook.test()
        return web.json_response({})

    async def set_search(self, request: web.Request) -> web.Response:
        """How late the search index is."""
        self.portal.search_lag_ms = int((await body_of(request))["lag_ms"])
        return web.json_response({})

    async def set_clock(self, request: web.Request) -> web.Response:
        """How wrong the account's clock is."""
        self.portal.clock_offset_ms = int((await body_of(request))["offset_ms"])
        return web.json_response({})

    async def stats(self, _request: web.Request) -> web.Response:
        """What was called and written through the API."""
        return web.json_response(self.meter.stats() | self.writer.counts())

    async def reset(self, _request: web.Request) -> web.Response:
        """Count from zero."""
        self.meter.reset()
        self.writer.log.clear()
        return web.json_response({})

    async def writes(self, _request: web.Request) -> web.Response:
        """Every write through the API, in order: ``{at_ms, op, type, id, properties, source, changed}``."""
        return web.json_response(self.writer.log)
