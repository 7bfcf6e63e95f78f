"""The worker: collect hints, bring their records into agreement, settle the messages. A thin shell around ``run_once``.

Messages are acknowledged when every hint in them is stored as done, as a retry with a time, or parked. What cannot
be stored stays in the queue: an unreachable database pauses this loop instead of failing message after message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from schemas.connections import Connection
from schemas.events import Cause, Happening, Hint, HintMessage, Lane
from schemas.ledger import Commit, Parked, Retry
from schemas.links import Link
from schemas.records import FieldRule, ObjectType, System
from services.clock import Clock
from services.hints import HintConsumer, HintPublisher, QueueUnavailable, ReceivedMessage
from services.store.pool import StoreUnavailable
from services.store.store import Store
from services.telemetry import batch_size, echoes_total, log, propagation_lag_seconds
from sync_worker.remembering import hand_back
from sync_worker.sync_records import Passed, Workshop, sync_records
from sync_worker.work import Batch, Crms, coalesce

OWN_ECHO = (Happening.CHANGED, Happening.CREATED, Happening.ASSOCIATED)
STORE_PAUSE_S = 1.0
UNKNOWN_ECHO_AGAIN_S = 10.0
COLLECT_TIMEOUT_S = 1.0
DUE_EVERY_S = 0.5
DUE_LIMIT = 500


@dataclass(frozen=True)
class Bench:
    """The worker's tools.

    ``crms`` and ``fields`` are per connection; unknown connections are left alone and counted.
    """

    shop: Workshop
    consumer: HintConsumer
    crms: Mapping[int, Crms]
    fields: Mapping[ObjectType, tuple[FieldRule, ...]]
    batch_keys: int = 100
    armful_hints: int = 500
    window_s: float = 0.25


async def run_once(bench: Bench, timeout_s: float = COLLECT_TIMEOUT_S) -> int:
    """Collect one armful of messages and settle it. Returns the number of hints handled, 0 when none came."""
    messages = await bench.consumer.collect(bench.armful_hints, bench.window_s, timeout_s)
    if not messages:
        return 0
    hints = [hint for received in messages for hint in received.message.hints]
    await _until_stored(bench, hints, messages)
    for received in messages:
        await received.done()
    return len(hints)


async def _until_stored(bench: Bench, hints: Sequence[Hint], messages: Sequence[ReceivedMessage]) -> None:
    """Handle the hints until the outcome is in the database, however long the database is away."""
    while True:
        try:
            await handle(bench, hints)
            return
        except StoreUnavailable as error:
            log.warning("store_unavailable", error=type(error).__name__, messages=len(messages))
            await bench.shop.clock.sleep(STORE_PAUSE_S)


async def handle(bench: Bench, hints: Sequence[Hint]) -> None:
    """Coalesce, leave out what is known already, and work through the rest: companies before people."""
    connections = {one.id: one for one in await bench.shop.store.connections.all()}
    wanted = [hint for hint in coalesce(hints) if _served(hint, connections, bench.crms)]
    fresh = await _without_echoes(wanted, bench.shop)
    for connection_id in sorted({hint.connection_id for hint in fresh}):
        for object_type in (ObjectType.COMPANY, ObjectType.CONTACT):
            of_type = [h for h in fresh if h.connection_id == connection_id and h.object_type is object_type]
            await _handle_type(bench, connections[connection_id], object_type, of_type)


def _served(hint: Hint, connections: Mapping[int, Connection], crms: Mapping[int, Crms]) -> bool:
    connection = connections.get(hint.connection_id)
    if connection is None or hint.connection_id not in crms:
        log.warning("unknown_connection", connection_id=hint.connection_id)
        return False
    return connection.enabled


async def _handle_type(bench: Bench, connection: Connection, object_type: ObjectType, hints: Sequence[Hint]) -> None:
    for start in range(0, len(hints), bench.batch_keys):
        chunk = tuple(hints[start : start + bench.batch_keys])
        batch = Batch(connection=connection, object_type=object_type, hints=chunk, fields=bench.fields[object_type])
        batch_size.observe(len(chunk))
        passed = await _guarded(batch, bench)
        _measure(passed, bench.shop.clock)


async def _guarded(batch: Batch, bench: Bench) -> Passed:
    """A fault of ours in one batch is found by halving it; the record that causes it is parked alone."""
    try:
        return await sync_records(batch, bench.crms[batch.connection.id], bench.shop)
    except (StoreUnavailable, asyncio.CancelledError):
        raise
    except Exception as error:
        log.error("batch_failed", error=type(error).__name__, records=len(batch.hints), exc_info=True)
        await _halve(batch, bench, error)
        return Passed()


async def _halve(batch: Batch, bench: Bench, error: Exception) -> None:
    await bench.shop.store.links.release_owned(bench.shop.owner)
    if len(batch.hints) == 1:
        commit = Commit(parked=(_park(batch.hints[0], f"{type(error).__name__} while working on it"),))
        await bench.shop.store.commit(commit, bench.shop.owner)
        return
    middle = len(batch.hints) // 2
    for half in (batch.hints[:middle], batch.hints[middle:]):
        await _guarded(msgspec.structs.replace(batch, hints=half), bench)


def _park(hint: Hint, reason: str) -> Parked:
    return Parked(
        connection_id=hint.connection_id,
        object_type=hint.object_type,
        system=hint.system,
        record_id=hint.record_id,
        category="fault",
        reason=reason,
    )


async def _without_echoes(hints: Sequence[Hint], shop: Workshop) -> list[Hint]:
    """Leave out echoes of our own writes to links we know, and falcana versions we know.

    This saves calls and decides nothing: a link that was written to is ``unverified`` and has a look at it scheduled,
    which reads HubSpot's history; a known falcana version cannot hide an edit.
    """
    fresh: list[Hint] = []
    for connection_id, object_type, system in sorted({(h.connection_id, h.object_type, h.system) for h in hints}):
        group = [h for h in hints if (h.connection_id, h.object_type, h.system) == (connection_id, object_type, system)]
        suspects = [hint.record_id for hint in group if _could_be_known(hint)]
        known = await shop.store.links.by_record(connection_id, object_type, system, suspects) if suspects else {}
        unknown_echoes = []
        for hint in group:
            link = known.get(hint.record_id)
            if link is not None and _is_known(hint, link):
                echoes_total.labels(action="explained").inc()
            elif link is None and hint.own and hint.happening in OWN_ECHO:
                unknown_echoes.append(hint)
            else:
                fresh.append(hint)
        if unknown_echoes:
            await shop.store.commit(hand_back(unknown_echoes, "unknown_echo", UNKNOWN_ECHO_AGAIN_S), shop.owner)
    return fresh


def _could_be_known(hint: Hint) -> bool:
    if hint.happening not in OWN_ECHO or hint.cause not in (Cause.WEBHOOK, Cause.POLL):
        return False
    return bool(hint.own) if hint.system is System.HUBSPOT else hint.version > 0


def _is_known(hint: Hint, link: Link) -> bool:
    if hint.system is System.HUBSPOT:
        return link.hubspot_id == hint.record_id
    return bool(link.fields) and 0 < hint.version <= link.falcana_version


def _measure(passed: Passed, clock: Clock) -> None:
    """How long edits took from their source to the other side."""
    now_ms = clock.now_ms()
    for work in passed.works:
        so_far = passed.carried.get(work.link.id)
        if so_far is None or so_far.trouble is not None:
            continue
        for hint in work.hints:
            if hint.occurred_ms and hint.system.other in so_far.written:
                lag_s = max(0.0, (now_ms - hint.occurred_ms) / 1000)
                path = "webhook" if hint.cause is Cause.WEBHOOK else "poll"
                propagation_lag_seconds.labels(direction=f"to_{hint.system.other.value}", path=path).observe(lag_s)


async def offer_due(store: Store, publisher: HintPublisher, clock: Clock) -> int:
    """Put records whose time has come back into the queue. A row stays until the record is settled, so none is lost."""
    rows = await store.retries.due(DUE_LIMIT)
    for lane in Lane:
        chosen = [_due_hint(row) for row in rows if _lane(row.category) is lane]
        for start in range(0, len(chosen), 100):
            hints = tuple(chosen[start : start + 100])
            message = HintMessage(id=f"due-{clock.now_ms()}-{start}", accepted_ms=clock.now_ms(), hints=hints)
            await publisher.publish(message, lane)
    return len(rows)


def _lane(category: str) -> Lane:
    return Lane.BULK if category == "verify" else Lane.LIVE


def _due_hint(row: Retry) -> Hint:
    return Hint(
        connection_id=row.connection_id,
        object_type=row.object_type,
        system=row.system,
        record_id=row.record_id,
        happening=row.happening,
        cause=Cause.VERIFY if row.category == "verify" else Cause.RETRY,
        run_id=row.run_id,
        pull=row.pull,
        push=row.push,
    )


async def work_forever(bench: Bench, stop: asyncio.Event) -> None:
    """Run until told to stop; the armful in hand is finished first."""
    while not stop.is_set():
        try:
            await run_once(bench)
        except QueueUnavailable:
            log.warning("queue_unavailable")
            await bench.shop.clock.sleep(STORE_PAUSE_S)


async def offer_due_forever(store: Store, publisher: HintPublisher, clock: Clock, stop: asyncio.Event) -> None:
    """Offer due records every half second until told to stop."""
    while not stop.is_set():
        try:
            await offer_due(store, publisher, clock)
        except (QueueUnavailable, StoreUnavailable) as error:
            log.warning("due_not_offered", error=type(error).__name__)
        await clock.sleep(DUE_EVERY_S)
