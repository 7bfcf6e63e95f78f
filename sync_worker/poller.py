"""The poller: every five minutes, which records changed since the checkpoint? It points, it never decides.

A checkpoint moves only after the hints of a page are confirmed by the queue, per direction and object type. HubSpot's
search lags and reorders, so every pass starts ``overlap_s`` before the last one; what we know by its date already is
left out, so an unchanged record costs no read and no write. Without a checkpoint everything is listed (R38).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from schemas.connections import Connection
from schemas.events import Cause, Happening, Hint, HintMessage, Lane
from schemas.records import ObjectType, System
from services.clock import Clock
from services.crm import Changed, Crm, CrmError, FeedExpired
from services.hints import HintPublisher, QueueUnavailable
from services.store.pool import StoreUnavailable
from services.store.store import Store
from services.telemetry import log, poll_found_missed_total, poll_last_success_timestamp_seconds, poll_pages_total

HINTS_PER_MESSAGE = 100
MOST_PAGES = 10_000


@dataclass(frozen=True)
class Poller:
    """What a poll needs. ``crms`` gives both doors of a connection; times in seconds."""

    store: Store
    publisher: HintPublisher
    clock: Clock
    crms: dict[int, dict[System, Crm]]
    every_s: float = 300.0
    overlap_s: float = 600.0


async def run_once(poller: Poller) -> int:
    """One pass over all connections and enabled directions, pull before push. Returns the number of hints sent."""
    sent = 0
    for connection in await poller.store.connections.all():
        if not connection.enabled or connection.id not in poller.crms:
            continue
        for system, on in ((System.HUBSPOT, connection.pull), (System.FALCANA, connection.push)):
            if on:
                sent += await poll_side(poller, connection, system)
    return sent


async def poll_side(poller: Poller, connection: Connection, system: System, run_id: int = 0) -> int:
    """Both object types of one direction, companies first.

    A failed type keeps its checkpoint and is tried at the next tick.
    """
    sent = 0
    for object_type in (ObjectType.COMPANY, ObjectType.CONTACT):
        try:
            sent += await poll_type(poller, connection, system, object_type, run_id)
            stamp = poller.clock.now_ms() / 1000
            poll_last_success_timestamp_seconds.labels(object=f"{system.value}_{object_type.value}").set(stamp)
        except CrmError as error:
            log.warning("poll_failed", system=system.value, object_type=object_type.value, error=type(error).__name__)
    return sent


async def poll_type(
    poller: Poller, connection: Connection, system: System, object_type: ObjectType, run_id: int = 0
) -> int:
    """What changed since the checkpoint, page by page.

    Everything when there is no checkpoint or it is too old (Q16).
    """
    crm = poller.crms[connection.id][system]
    checkpoint = await poller.store.checkpoints.get(connection.id, system, object_type)
    if checkpoint is None:
        return await full_pass(poller, connection, system, object_type, run_id)
    position = crm.rewound(checkpoint, poller.overlap_s)
    sent = 0
    for _page in range(MOST_PAGES):
        try:
            page = await crm.changes(object_type, position, poller.clock.now_ms())
        except FeedExpired:
            log.warning("feed_expired", system=system.value, object_type=object_type.value)
            return sent + await full_pass(poller, connection, system, object_type, run_id)
        poll_pages_total.inc()
        sent += await _point(poller, connection, system, object_type, page.changes, run_id)
        position = page.position
        await poller.store.checkpoints.set(connection.id, system, object_type, crm.furthest(checkpoint, position))
        if not page.more:
            break
    return sent


async def full_pass(
    poller: Poller, connection: Connection, system: System, object_type: ObjectType, run_id: int = 0
) -> int:
    """List every record and hint at each in the bulk lane.

    The checkpoint becomes the moment before the listing began.
    """
    crm = poller.crms[connection.id][system]
    start = await crm.present_position(object_type, poller.clock.now_ms())
    sent = 0
    async for page in crm.everything(object_type):
        hints = [_hint(connection, system, object_type, change, run_id) for change in page]
        if run_id:
            await poller.store.runs.expect(run_id, len(hints))
        await send(poller, hints, Lane.BULK)
        sent += len(hints)
    await poller.store.checkpoints.set(connection.id, system, object_type, start)
    return sent


async def _point(
    poller: Poller,
    connection: Connection,
    system: System,
    object_type: ObjectType,
    changes: Sequence[Changed],
    run_id: int,
) -> int:
    """Hints for the changes that are not known by their date or version already."""
    newest = {change.record_id: change for change in changes}
    known = await poller.store.links.known_dates(connection.id, object_type, system, list(newest))
    unknown = [change for change in newest.values() if not _known(system, change, known.get(change.record_id))]
    if run_id:
        await poller.store.runs.expect(run_id, len(unknown))
    await send(poller, [_hint(connection, system, object_type, change, run_id) for change in unknown], Lane.LIVE)
    poll_found_missed_total.inc(sum(1 for change in unknown if not change.own))
    return len(unknown)


def _known(system: System, change: Changed, known: object) -> bool:
    """Whether our last look or write already covers this change. Deletes, merges and restores are always looked at."""
    if known is None or change.gone or change.restored:
        return False
    modified_ms, version = known.modified_ms, known.version  # type: ignore[attr-defined]
    if system is System.FALCANA:
        return bool(0 < change.version <= version)
    return bool(change.modified_ms == modified_ms)


def _hint(connection: Connection, system: System, object_type: ObjectType, change: Changed, run_id: int = 0) -> Hint:
    return Hint(
        connection_id=connection.id,
        object_type=object_type,
        system=system,
        record_id=change.record_id,
        happening=_happening(change),
        cause=Cause.RUN if run_id else Cause.POLL,
        occurred_ms=0 if run_id else change.modified_ms,
        own=change.own,
        version=change.version,
        survivor_id=change.survivor_id,
        run_id=run_id,
        pull=bool(run_id) and system is System.HUBSPOT,
        push=bool(run_id) and system is System.FALCANA,
    )


def _happening(change: Changed) -> Happening:
    if change.survivor_id:
        return Happening.MERGED
    if change.gone:
        return Happening.DELETED
    return Happening.RESTORED if change.restored else Happening.LOOK


async def send(poller: Poller, hints: Sequence[Hint], lane: Lane) -> None:
    """Publish hints, a hundred a message, each confirmed before the next."""
    for start in range(0, len(hints), HINTS_PER_MESSAGE):
        now_ms = poller.clock.now_ms()
        chunk = tuple(hints[start : start + HINTS_PER_MESSAGE])
        await poller.publisher.publish(HintMessage(id=f"poll-{now_ms}-{start}", accepted_ms=now_ms, hints=chunk), lane)


async def poll_forever(poller: Poller, leads: Callable[[], Awaitable[bool]], stop: asyncio.Event) -> None:
    """A pass every ``every_s`` while this process leads.

    A second poller waits and takes over when the first is gone.
    """
    while not stop.is_set():
        started = poller.clock.monotonic_s()
        try:
            if await leads():
                sent = await run_once(poller)
                log.info("poll_done", sent=sent, seconds=round(poller.clock.monotonic_s() - started, 3))
        except (QueueUnavailable, StoreUnavailable) as error:
            log.warning("poll_failed", error=type(error).__name__)
        await _pause(poller.clock, max(0.0, poller.every_s - (poller.clock.monotonic_s() - started)), stop)


async def _pause(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    waiting = asyncio.ensure_future(clock.sleep(seconds))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, stopping):
        task.cancel()
