"""A whole small world in one process: both sandboxes over HTTP, the receiver, a real broker, a real database, the
worker.

Nothing runs by itself: ``settle`` lets webhooks arrive, offers due records and works until nothing is left to do, so a
journey is deterministic and never waits for a length of time.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
from aiohttp import web

from schemas.connections import Connection
from schemas.fields import DEFAULT_FIELDS
from schemas.records import System
from services.clock import SystemClock
from services.falcana.client import FalcanaClient
from services.falcana.writing import Defaults
from services.hubspot.client import HubspotClient
from services.hubspot.setup import set_up
from services.queue.consumer import RabbitConsumer, open_consumer
from services.queue.publisher import RabbitPublisher, open_publisher
from services.sandbox.falcana import app as falcana_sandbox
from services.sandbox.hubspot import app as hubspot_sandbox
from services.settings import ReceiverSettings
from services.store.migrations import migrate
from services.store.store import Store, open_store
from services.transport import Transport
from sync_worker.poller import Poller
from sync_worker.poller import run_once as poll_once
from sync_worker.runs import start_run
from sync_worker.sync_records import Workshop
from sync_worker.work import Crms
from sync_worker.worker import Bench, offer_due, run_once
from webhook_receiver.app import create_app
from webhook_receiver.intake import Intake
from webhook_receiver.patience import Patience

PORTAL, APP_ID, SECRET, TOKEN, API_KEY, FALCANA_SECRET = 4711, 99, "client-secret", "token", "key", "falcana-secret"
COLLECT_S = 0.05


@dataclass
class Person:
    """Somebody who works in one of the two systems, through the sandbox's control interface."""

    base: str
    session: aiohttp.ClientSession
    wrap: bool

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control call; its JSON answer."""
        async with self.session.request(method, f"{self.base}/_control{path}", json=body) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json()

    async def create(self, kind: str, fields: dict[str, Any], **more: Any) -> str:
        """Create a record; its id as text."""
        body = {"properties": fields, **more} if self.wrap else {**fields, **more}
        return str((await self.ask("POST", f"/records/{kind}", body))["id"])

    async def edit(self, kind: str, record_id: str, **fields: Any) -> None:
        """Change some fields."""
        await self.ask("PATCH", f"/records/{kind}/{record_id}", {"properties": fields} if self.wrap else fields)

    async def delete(self, kind: str, record_id: str) -> None:
        """Delete a record."""
        await self.ask("DELETE", f"/records/{kind}/{record_id}")

    async def restore(self, kind: str, record_id: str) -> None:
        """Bring a deleted record back."""
        await self.ask("POST", f"/records/{kind}/{record_id}/restore")

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """Every record that is not deleted."""
        return list(await self.ask("GET", f"/records/{kind}"))

    async def show(self, kind: str, record_id: str) -> dict[str, Any]:
        """One record."""
        return dict(await self.ask("GET", f"/records/{kind}/{record_id}"))

    async def writes(self) -> list[dict[str, Any]]:
        """What the interface wrote so far."""
        return list(await self.ask("GET", "/writes"))

    async def fault(self, **spec: Any) -> None:
        """A fault for the next matching request."""
        await self.ask("POST", "/faults", spec)

    async def webhooks(self, **switches: Any) -> None:
        """What the sender does wrong from now on."""
        await self.ask("POST", "/webhooks", switches)


@dataclass
class World:
    """Both systems with a person in each, and the product between them."""

    hubspot: Person
    falcana: Person
    store: Store
    bench: Bench
    poller: Poller
    publisher: RabbitPublisher
    consumer: RabbitConsumer
    receiver_url: str
    session: aiohttp.ClientSession
    dsn: str
    deadline_s: float = 30.0
    left_behind: str = ""

    async def settle(self) -> None:
        """Let everything that was set in motion arrive, verification of own writes included.

        Where verification is far off (``verify_after_s``), it may stay behind.
        """
        clock = self.bench.shop.clock
        deadline_s = clock.monotonic_s() + self.deadline_s
        quiet = 0
        while quiet < 2:
            assert clock.monotonic_s() < deadline_s, f"the world does not come to rest: {await self.trouble()}"
            await self.hubspot.ask("POST", "/webhooks/flush")
            await self.falcana.ask("POST", "/webhooks/flush")
            offered = await offer_due(self.store, self.publisher, clock)
            handled = await run_once(self.bench, timeout_s=COLLECT_S)
            categories = await self.store.retries.by_category(1)
            waiting = sum(records for name, records in categories.items() if name != self.left_behind)
            quiet = 0 if offered or handled or waiting else quiet + 1

    async def trouble(self) -> dict[str, Any]:
        """What still waits."""
        return {"retries": await self.store.retries.by_category(1), "parked": await self.store.trouble.parked(1)}

    async def poll(self) -> int:
        """One pass of the poller, and everything that follows from it."""
        sent = await poll_once(self.poller)
        await self.settle()
        return sent

    async def switch(self, *, pull: bool, push: bool) -> None:
        """The two switches."""
        await self.store.connections.set_switches(1, pull=pull, push=push)

    async def run(self, source: System) -> int:
        """A manual run from this system, to its end."""
        run_id = await start_run(self.poller, await self.store.connections.get(1), source)
        await self.settle()
        return run_id

    async def company(self, hubspot_id: str) -> dict[str, Any]:
        """The properties of a HubSpot company."""
        return dict((await self.hubspot.show("companies", hubspot_id))["properties"])

    async def contact(self, hubspot_id: str) -> dict[str, Any]:
        """The properties of a HubSpot contact, with its primary company."""
        shown = await self.hubspot.show("contacts", hubspot_id)
        return {**shown["properties"], "company_id": shown["primaryCompanyId"]}


@asynccontextmanager
async def make_world(
    stack_url: dict[str, str],
    *,
    verify_after_s: float = 0,
    window_s: float = 0.05,
    deadline_s: float = 30.0,
    **sandbox: Any,
) -> AsyncIterator[World]:
    """A fresh world on its own database and its own queues; both directions on."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        hubspot_url = await _serve(stack, hubspot_sandbox.create_app(_hubspot_settings(**sandbox)))
        falcana_url = await _serve(stack, falcana_sandbox.create_app(_falcana_settings()))
        dsn = await stack.enter_async_context(fresh_database(stack_url["database"]))
        store = await open_store(dsn)
        stack.push_async_callback(store.close)
        prefix = f"hints-{uuid4().hex[:8]}"
        publisher = await open_publisher(stack_url["amqp"], prefix=prefix)
        stack.push_async_callback(publisher.close)
        consumer = await open_consumer(stack_url["amqp"], prefix=prefix)
        stack.push_async_callback(consumer.close)
        clock = SystemClock()
        crms = await _crms(stack, hubspot_url, falcana_url, clock)
        await store.connections.save(Connection(id=1, name="journey", pull=True, push=True))
        receiver = await _receiver(stack, publisher, clock)
        hubspot = Person(hubspot_url, session, wrap=True)
        falcana = Person(falcana_url, session, wrap=False)
        await hubspot.webhooks(url=f"{receiver}/webhooks/hubspot")
        await falcana.webhooks(url=f"{receiver}/webhooks/falcana/1")
        shop = Workshop(store, clock, "journey-worker", lease_s=60, verify_after_s=verify_after_s)
        bench = Bench(shop, consumer, {1: crms}, DEFAULT_FIELDS, window_s=window_s)
        sides = {1: {System.HUBSPOT: crms.hubspot, System.FALCANA: crms.falcana}}
        poller = Poller(store, publisher, clock, sides)
        left = "verify" if verify_after_s else ""
        yield World(
            hubspot, falcana, store, bench, poller, publisher, consumer, receiver, session, dsn, deadline_s, left
        )


def _hubspot_settings(**more: Any) -> hubspot_sandbox.Settings:
    base: dict[str, Any] = {"portal_id": PORTAL, "app_id": APP_ID, "client_secret": SECRET, "access_token": TOKEN}
    return hubspot_sandbox.Settings(
        **base, webhook_window_ms=10, webhook_retry_ms=50, rate_limit_per_10s=100_000, **more
    )


def _falcana_settings() -> falcana_sandbox.Settings:
    return falcana_sandbox.Settings(api_key=API_KEY, webhook_secret=FALCANA_SECRET, webhook_retry_ms=50)


async def _serve(stack: AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def fresh_database(server_dsn: str, *, migrated: bool = True) -> AsyncIterator[str]:
    """An empty database on the server of ``server_dsn``, dropped at the end."""
    name = f"test_{uuid4().hex[:10]}"
    admin = await asyncpg.connect(server_dsn)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        address, _, query = server_dsn.partition("?")
        dsn = f"{address.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
        if migrated:
            await migrate(dsn)
        yield dsn
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def _crms(stack: AsyncExitStack, hubspot_url: str, falcana_url: str, clock: SystemClock) -> Crms:
    async def token() -> str:
        return TOKEN

    async def key() -> str:
        return API_KEY

    hubspot = await stack.enter_async_context(Transport(hubspot_url, token, clock, "hubspot", timeout_s=5))
    falcana = await stack.enter_async_context(Transport(f"{falcana_url}/api/v1", key, clock, "falcana", timeout_s=5))
    await set_up(hubspot)
    defaults = Defaults(adressart="firma", zustaendiger_user_id=7, vertriebsgruppe_id=3)
    return Crms(
        hubspot=HubspotClient(hubspot, APP_ID, DEFAULT_FIELDS), falcana=FalcanaClient(falcana, DEFAULT_FIELDS, defaults)
    )


async def _receiver(stack: AsyncExitStack, publisher: RabbitPublisher, clock: SystemClock) -> str:
    """The real receiver on a free port; its public URL is where it listens."""
    runner_port = _free_port()
    settings = receiver_settings(f"http://127.0.0.1:{runner_port}/webhooks/hubspot")
    patience = Patience(clock)
    runner = web.AppRunner(
        create_app(Intake(settings, publisher, clock), patience), access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", runner_port).start()
    return f"http://127.0.0.1:{runner_port}"


def receiver_settings(public_url: str) -> ReceiverSettings:
    """Settings of a receiver under this public URL."""
    return ReceiverSettings.model_validate(
        {
            "AMQP_URL": "amqp://unused",
            "hubspot_app_id": APP_ID,
            "hubspot_client_secrets": SECRET,
            "hubspot_public_url": public_url,
            "portals": {PORTAL: 1},
            "falcana_secrets": {1: [FALCANA_SECRET]},
        }
    )


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_urls() -> dict[str, str]:
    """The servers that the launcher has started, or the ones named in the environment."""
    return {"database": os.environ["DATABASE_URL"], "amqp": os.environ["AMQP_URL"]}
