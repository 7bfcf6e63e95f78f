"""The main path: bring a batch of records into agreement. Safe at any time, any number of times.

    lease -> observe -> decide -> announce (commit 1) -> carry out -> remember (commit 2)

Whatever the hint said, both sides are read and the difference is repaired. One failing record never holds the others;
everything that has to be looked at again gets a row with a time, so nothing depends on the message any more once this
returns. The acknowledgement comes after that and belongs to the worker.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from schemas.ledger import Commit
from schemas.links import Link, LinkState
from schemas.plans import Action, Plan
from schemas.records import System
from services.clock import Clock
from services.crm import CrmError, Denied, RateLimited
from services.store.store import Store
from services.telemetry import conflicts_total, log, noop_writes_total, reconcile_total, writes_total
from sync_worker.carrying import Carried, carry_out
from sync_worker.following import follow
from sync_worker.matching import match_creates
from sync_worker.merge.brake import brake_trips
from sync_worker.merge.decide import decide
from sync_worker.observing import observe
from sync_worker.remembering import announcement, erased_by_hint, hand_back, outcome
from sync_worker.work import Batch, Crms, Work, gather

MOST_TURNS = 4
DENIED_AGAIN_S = 60.0
UNAVAILABLE_AGAIN_S = 2.0
BUSY_AGAIN_S = 0.5


@dataclass(frozen=True)
class Workshop:
    """What the main path works with.

    ``owner`` names this worker in leases; ``lease_s`` outlives every request of a pass.
    """

    store: Store
    clock: Clock
    owner: str
    lease_s: float = 60.0
    verify_after_s: float = 30.0


@dataclass
class Passed:
    """What a pass did, for metrics and tests: the works that were settled."""

    works: list[Work] = field(default_factory=list)
    carried: dict[int, Carried] = field(default_factory=dict)


async def sync_records(batch: Batch, crms: Crms, shop: Workshop) -> Passed:
    """Bring the hinted records into agreement.

    Raises StoreUnavailable: then nothing was settled and the hints stand.
    """
    keys = [(hint.system, hint.record_id) for hint in batch.hints]
    leased = await shop.store.links.lease(batch.connection.id, batch.object_type, keys, shop.lease_s, shop.owner)
    if leased.busy:
        busy = set(leased.busy)
        waiting = [hint for hint in batch.hints if (hint.system, hint.record_id) in busy]
        await shop.store.commit(hand_back(waiting, "busy", BUSY_AGAIN_S), shop.owner)
    works = gather(batch, leased.links, leased.by_key)
    try:
        return await _agree(works, batch, crms, shop)
    except CrmError as error:
        await _give_back(works, error, shop)
        return Passed()


async def _agree(works: Sequence[Work], batch: Batch, crms: Crms, shop: Workshop) -> Passed:
    """Decide every record, with as many looks as it takes but no more than ``MOST_TURNS``."""
    before = {work.link.id: work.link for work in works}
    await _decide_all(works, batch, crms, shop)
    merged = [work for work in works if work.decided.action is Action.FOLLOW]
    followed = await follow(merged, works, batch.object_type, shop.store, shop.owner, shop.lease_s)
    rest = [work for work in works if work.link.id not in followed]
    await _brake(rest, batch, shop)
    writing = await _announce([work for work in rest if work.decided.touches_crm], shop)
    carried = await carry_out(writing, batch.object_type, crms, shop.store)
    lost = {work.link.id for work in rest if work.decided.touches_crm} - {work.link.id for work in writing}
    settled = [work for work in rest if work.link.id not in lost]
    await _remember(settled, before, carried, shop)
    return Passed(works=settled, carried=carried)


async def _decide_all(works: Sequence[Work], batch: Batch, crms: Crms, shop: Workshop) -> None:
    """Observe and decide; records that need history, or that were matched to a counterpart, are observed once more."""
    looking = list(works)
    for _turn in range(MOST_TURNS):
        await observe(looking, batch.object_type, crms, shop.store)
        for work in looking:
            work.plan = _decide(work)
        deeper = [work for work in looking if work.decided.action is Action.READ_HISTORY]
        for work in deeper:
            work.with_history = True
        adopted = await match_creates(looking, batch.object_type, crms, shop.store)
        looking = deeper + adopted
        if not looking:
            return
    for work in looking:
        work.plan = msgspec.structs.replace(
            work.decided, action=Action.LOOK_AGAIN, reason="unsettled", fields=(), mark=()
        )


def _decide(work: Work) -> Plan:
    """The plan of one record. A fault in deciding parks this record and no other."""
    try:
        plan = decide(work.link, work.seen, work.rules, work.named())
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        work.parked = ("fault", f"{type(error).__name__} in {where.name} line {where.lineno}")
        log.error("record_parked", link_id=work.link.id, category="fault", error=type(error).__name__)
        return Plan(link_id=work.link.id, action=Action.NOTHING, state=work.link.state, reason="fault")
    gone = plan.state is LinkState.HUBSPOT_DELETED or work.link.state is LinkState.HUBSPOT_DELETED
    if gone and erased_by_hint(work):
        return msgspec.structs.replace(
            plan, action=Action.REMEMBER, state=LinkState.HUBSPOT_DELETED, reason="privacy_deleted", erase=True
        )
    return plan


async def _brake(works: Sequence[Work], batch: Batch, shop: Workshop) -> None:
    """Hold the deletes of this pass when they are too many within the hour (requirement 6)."""
    doomed = [work for work in works if work.decided.action is Action.ARCHIVE and work.link.reason != "approved"]
    if not doomed:
        return
    count = await shop.store.links.delete_counts(batch.connection.id, batch.object_type)
    waiting = {work.link.id for work in doomed if work.link.state is LinkState.FALCANA_DELETED_PENDING}
    due = len(doomed) + max(0, count.pending - len(waiting))
    if brake_trips(due, count.executed_last_hour, count.links, batch.connection):
        for work in doomed:
            work.plan = Plan(
                link_id=work.link.id, action=Action.REMEMBER, state=LinkState.HELD, reason="held_by_delete_brake"
            )
            work.parked = ("delete_brake", "unusually many deletes are due")


async def _announce(works: Sequence[Work], shop: Workshop) -> list[Work]:
    """Commit 1. A link that moved on under us is dropped and looked at again."""
    if not works:
        return []
    lost = await shop.store.commit(announcement(works), shop.owner)
    kept = []
    for work in works:
        if work.link.id in lost:
            await shop.store.commit(hand_back(work.hints, "lease_lost", BUSY_AGAIN_S), shop.owner)
            await shop.store.links.release([work.link], shop.owner)
        else:
            work.link = msgspec.structs.replace(work.link, row_version=work.link.row_version + 1)
            kept.append(work)
    return kept


async def _remember(
    works: Sequence[Work], before: dict[int, Link], carried: dict[int, Carried], shop: Workshop
) -> None:
    """Commit 2, and what has to follow it: erasure, and a second look at links that moved on under us."""
    if not works:
        return
    created = await _placeholders(works, carried, shop)
    commit = outcome(works, before, carried, shop.verify_after_s)
    updates = tuple(
        msgspec.structs.replace(update, absorb_link_id=created.get(update.link.id, update.absorb_link_id))
        for update in commit.updates
    )
    lost = await shop.store.commit(msgspec.structs.replace(commit, updates=updates), shop.owner)
    again = [hint for work in works if work.link.id in lost for hint in work.hints]
    if again:
        await shop.store.commit(hand_back(again, "lease_lost", BUSY_AGAIN_S), shop.owner)
    for work in works:
        if work.decided.erase and work.link.id not in lost:
            await shop.store.erase(work.link.id)
        _tell(work, carried.get(work.link.id))


async def _placeholders(works: Sequence[Work], carried: dict[int, Carried], shop: Workshop) -> dict[int, int]:
    """Rows that the echo of our own create has made meanwhile: they become part of the link that created the record."""
    found: dict[int, int] = {}
    for on in System:
        made = {
            so_far.written[on].seen.record_id: work.link
            for work in works
            if work.decided.action is Action.CREATE
            and work.decided.create_on is on
            and on in (so_far := carried.get(work.link.id, Carried())).written
        }
        if made:
            link = next(iter(made.values()))
            rows = await shop.store.links.by_record(link.connection_id, link.object_type, on, list(made))
            found |= {made[record_id].id: row.id for record_id, row in rows.items() if row.id != made[record_id].id}
    return found


async def _give_back(works: Sequence[Work], error: CrmError, shop: Workshop) -> None:
    """A side could not be asked: nothing is known of any record, so nothing is decided."""
    delay_s = UNAVAILABLE_AGAIN_S
    if isinstance(error, RateLimited):
        delay_s = max(delay_s, error.retry_after_s)
    if isinstance(error, Denied):
        delay_s = DENIED_AGAIN_S
    category = type(error).__name__.lower()
    log.warning("batch_given_back", category=category, records=len(works))
    hints = [hint for work in works for hint in work.hints]
    await shop.store.commit(Commit(retries=hand_back(hints, category, delay_s).retries), shop.owner)
    await shop.store.links.release([work.link for work in works], shop.owner)


def _tell(work: Work, so_far: Carried | None) -> None:
    """One canonical line and the counters for one record."""
    plan = work.decided
    result = "parked" if work.parked else "retry" if work.retry else "applied" if so_far else "noop"
    direction = ",".join(sorted(system.value for system in so_far.written)) if so_far else ""
    reconcile_total.labels(direction=direction or "none", result=result).inc()
    for system in so_far.written if so_far else ():
        writes_total.labels(side=system.value).inc()
    if so_far and not so_far.written and plan.action is Action.MERGE and so_far.trouble is None:
        noop_writes_total.inc()
    for one in plan.fields:
        if one.loser is not None and not one.withheld and one.winner is not None:
            conflicts_total.labels(winner=one.winner.value).inc()
    log.info(
        "record",
        connection_id=work.link.connection_id,
        object_type=work.link.object_type.value,
        link_id=work.link.id,
        hubspot_id=work.link.hubspot_id,
        falcana_id=work.link.falcana_id,
        action=plan.action.value,
        reason=plan.reason,
        state=plan.state.value,
        result=result,
        wrote=direction,
        fields=[one.field for one in plan.fields if one.writes and not one.withheld],
        causes=list(work.causes),
    )
