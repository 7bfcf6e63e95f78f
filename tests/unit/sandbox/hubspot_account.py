"""A HubSpot sandbox on loopback with somebody who calls it and somebody who receives its webhooks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from services.sandbox.hubspot.app import Settings, create_app

TOKEN, SECRET, APP_ID = "t", "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", 99
OBJECTS = "/crm/objects/2026-09"
COMPANY_IS_PRIMARY = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]


@dataclass
class Answer:
    """One answer of the sandbox."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass
class Delivery:
    """One webhook request as it arrived."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in it."""
        return list(json.loads(self.body))


@dataclass
class Receiver:
    """A webhook receiver that answers with ``statuses`` first and with 204 after that."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Keep a delivery."""
        self.deliveries.append(Delivery(request.headers, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events that arrived."""
        return [event for delivery in self.deliveries for event in delivery.events]


@dataclass
class Account:
    """The sandbox from outside: the API as the app calls it, and the control interface."""

    url: str
    session: aiohttp.ClientSession
    receiver: Receiver

    async def ask(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **more: Any) -> Answer:
        """One call of the API."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        more = more if body is None else {**more, "json": body}
        async with self.session.request(method, self.url + path, headers=headers, **more) as answer:
            text = await answer.text()
            return Answer(answer.status, json.loads(text) if text else None, answer.headers)

    async def person(self, method: str, path: str, body: Any = None) -> Any:
        """One control call, which must succeed."""
        answer = await self.ask(method, f"/_control{path}", body, token=None)
        assert answer.status < 300, answer.body
        return answer.body

    async def made(self, kind: str, **properties: Any) -> str:
        """The id of a record that a person created."""
        return str((await self.person("POST", f"/records/{kind}", {"properties": properties}))["id"])

    async def read(self, kind: str, record_id: str, **query: str) -> dict[str, Any]:
        """A record through the API."""
        answer = await self.ask("GET", f"{OBJECTS}/{kind}/{record_id}", params=query)
        assert answer.status == 200, answer.body
        return dict(answer.body)

    async def unique(self, kind: str, name: str = "falcana_id") -> None:
        """Define a unique property."""
        body = {"name": name, "label": name, "type": "string", "fieldType": "text", "hasUniqueValue": True}
        group = {"contacts": "contactinformation", "companies": "companyinformation"}[kind]
        answer = await self.ask("POST", f"/crm/properties/2026-09/{kind}", {**body, "groupName": group})
        assert answer.status == 201, answer.body

    async def told(self) -> list[dict[str, Any]]:
        """All events that arrived once nothing is on its way any more."""
        await self.person("POST", "/webhooks/flush")
        return self.receiver.events


@asynccontextmanager
async def account(**settings: Any) -> AsyncIterator[Account]:
    """A fresh account that sends its webhooks to a receiver."""
    async with AsyncExitStack() as stack:
        receiver = Receiver()
        inbox = web.Application()
        inbox.router.add_post("/hook", receiver.take)
        receiver.url = f"{await _serve(stack, inbox)}/hook"
        given: dict[str, Any] = {
            "access_token": TOKEN,
            "client_secret": SECRET,
            "app_id": APP_ID,
            "webhook_url": receiver.url,
        }
        quick = {"webhook_window_ms": 5, "webhook_retry_ms": 1, "rate_limit_per_10s": 10_000, "search_per_s": 1000}
        url = await _serve(stack, create_app(Settings(**(given | quick | settings))))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Account(url, session, receiver)


async def _serve(stack: AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
