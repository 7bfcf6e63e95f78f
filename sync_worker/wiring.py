"""Builds the workshop from its settings. Only ``__main__`` calls this; nothing else names a concrete CRM or queue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import msgspec

from schemas.connections import Connection
from schemas.fields import DEFAULT_FIELDS
from schemas.records import System
from services.clock import Clock, SystemClock
from services.crm import Crm
from services.falcana.client import FalcanaClient
from services.falcana.writing import Defaults
from services.hubspot.client import HubspotClient
from services.hubspot.setup import set_up
from services.queue.consumer import open_consumer
from services.queue.publisher import open_publisher
from services.settings import ConnectionSecrets, DatabaseSettings, WorkerSettings, read_settings
from services.store.leadership import Leadership
from services.store.migrations import migrate
from services.store.runs import AlreadyRunning, Run
from services.store.store import Store, open_store
from services.telemetry import log
from services.transport import Transport
from sync_worker.health import create_app, serve
from sync_worker.poller import Poller, poll_forever
from sync_worker.poller import run_once as poll_now
from sync_worker.runs import start_run, watch_run
from sync_worker.sync_records import Workshop
from sync_worker.work import Crms
from sync_worker.worker import Bench, offer_due_forever, work_forever

__all__ = ["AlreadyRunning"]


@dataclass
class Workplace:
    """Everything concrete that a process of the workshop needs; closed with its context."""

    settings: WorkerSettings
    clock: Clock
    store: Store
    crms: dict[int, Crms] = field(default_factory=dict)
    hubspot_doors: dict[int, Transport] = field(default_factory=dict)

    def sides(self) -> dict[int, dict[System, Crm]]:
        """Both doors of every connection, by system."""
        return {number: {System.HUBSPOT: one.hubspot, System.FALCANA: one.falcana} for number, one in self.crms.items()}


@asynccontextmanager
async def database() -> AsyncIterator[Store]:
    """The store alone, for commands that call no CRM."""
    store = await open_store(read_settings(DatabaseSettings).database_url.get_secret_value(), max_size=2)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def workplace(settings: WorkerSettings) -> AsyncIterator[Workplace]:
    """A migrated store and both doors of every configured connection."""
    dsn = settings.database_url.get_secret_value()
    await migrate(dsn)
    async with AsyncExitStack() as stack:
        store = await open_store(dsn)
        stack.push_async_callback(store.close)
        place = Workplace(settings=settings, clock=SystemClock(), store=store)
        known = {one.id: one for one in await store.connections.all()}
        for secrets in settings.connections:
            if secrets.id in known:
                await _add_connection(place, secrets, known[secrets.id], stack)
            else:
                log.warning("connection_not_created_yet", connection_id=secrets.id)
        yield place


async def _add_connection(
    place: Workplace, secrets: ConnectionSecrets, known: Connection, stack: AsyncExitStack
) -> None:
    hubspot = await stack.enter_async_context(_hubspot_door(place, secrets))
    falcana = await stack.enter_async_context(_falcana_door(place, secrets))
    defaults = Defaults(
        adressart=known.default_adressart,
        zustaendiger_user_id=known.default_user_id,
        vertriebsgruppe_id=known.default_vertriebsgruppe_id,
    )
    place.hubspot_doors[secrets.id] = hubspot
    place.crms[secrets.id] = Crms(
        hubspot=HubspotClient(hubspot, secrets.hubspot_app_id, DEFAULT_FIELDS),
        falcana=FalcanaClient(falcana, DEFAULT_FIELDS, defaults),
    )


def _hubspot_door(place: Workplace, secrets: ConnectionSecrets) -> Transport:
    async def token() -> str:
        return secrets.hubspot_access_token.get_secret_value()

    budget = place.store.budget(secrets.id, secrets.hubspot_limit_per_10s, place.clock)
    return Transport(secrets.hubspot_base_url, token, place.clock, "hubspot", budget)


def _falcana_door(place: Workplace, secrets: ConnectionSecrets) -> Transport:
    async def key() -> str:
        return secrets.falcana_api_key.get_secret_value()

    headers = {"X-Falcana-Quelle": "hubspot"}
    return Transport(secrets.falcana_base_url, key, place.clock, "falcana", headers=headers)


async def setup_portal(place: Workplace, connection_id: int) -> list[str]:
    """Create our properties in the HubSpot account of a connection; one line per property."""
    return await set_up(place.hubspot_doors[connection_id])


def with_defaults(before: Connection, name: str, adressart: str, user_id: int, vertriebsgruppe_id: int) -> Connection:
    """A connection with new defaults for Adressen; its switches stay as they are."""
    return msgspec.structs.replace(
        before,
        name=name or before.name,
        default_adressart=adressart,
        default_user_id=user_id,
        default_vertriebsgruppe_id=vertriebsgruppe_id,
    )


def worker_name() -> str:
    """A name for leases that no other process has."""
    return f"{socket.gethostname()}-{uuid4().hex[:8]}"


async def run_worker(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until told to stop; the batch in hand is finished, leases are given back."""
    async with workplace(settings) as place, AsyncExitStack() as stack:
        amqp_url = settings.amqp_url.get_secret_value()
        consumer = await open_consumer(amqp_url, prefix=settings.queue_prefix)
        stack.push_async_callback(consumer.close)
        publisher = await open_publisher(amqp_url, prefix=settings.queue_prefix)
        stack.push_async_callback(publisher.close)
        shop = Workshop(place.store, place.clock, worker_name(), settings.lease_s, settings.verify_after_s)
        stack.push_async_callback(place.store.links.release_owned, shop.owner)
        bench = Bench(
            shop, consumer, place.crms, DEFAULT_FIELDS, batch_keys=settings.batch_keys, window_s=settings.window_s
        )
        app = create_app(
            {
                "queue": lambda: "" if consumer.ready else "the broker is away: hints wait there, nothing is lost",
                "stopping": lambda: "stopping; the batch in hand is finished" if stop.is_set() else "",
            }
        )
        runner, port = await serve(app, settings.host, settings.port)
        stack.push_async_callback(runner.cleanup)
        print(f"listening on http://{settings.host}:{port}", flush=True)
        await asyncio.gather(work_forever(bench, stop), offer_due_forever(place.store, publisher, place.clock, stop))


@asynccontextmanager
async def polling(settings: WorkerSettings) -> AsyncIterator[Poller]:
    """A poller with its doors and its publisher."""
    async with workplace(settings) as place:
        publisher = await open_publisher(settings.amqp_url.get_secret_value(), prefix=settings.queue_prefix)
        try:
            yield Poller(
                store=place.store,
                publisher=publisher,
                clock=place.clock,
                crms=place.sides(),
                every_s=settings.poll_every_s,
                overlap_s=settings.poll_overlap_s,
            )
        finally:
            await publisher.close()


async def run_poller(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Poll until told to stop, whenever this process leads."""
    leadership = Leadership(settings.database_url.get_secret_value(), "poller")
    async with polling(settings) as poller:
        runner, port = await serve(create_app({}), settings.host, 0)
        print(f"listening on http://{settings.host}:{port}", flush=True)
        try:
            await poll_forever(poller, leadership.held, stop)
        finally:
            await leadership.step_down()
            await runner.cleanup()


async def poll_once(settings: WorkerSettings) -> int:
    """One pass, now; the number of hints sent."""
    async with polling(settings) as poller:
        return await poll_now(poller)


async def manual_run(settings: WorkerSettings, connection_id: int, source: System) -> AsyncIterator[Run]:
    """Start a manual run and tell its progress until it is finished."""
    async with polling(settings) as poller:
        connection = await poller.store.connections.get(connection_id)
        run_id = await start_run(poller, connection, source)
        async for run in watch_run(poller, run_id):
            yield run
