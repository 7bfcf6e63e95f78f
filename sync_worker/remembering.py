"""Remember: what a pass stores, before its writes and after them. Shapes in, one ``Commit`` out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from schemas.events import Happening, Hint
from schemas.ledger import (
    Commit,
    Conflict,
    HeldField,
    LedgerEntry,
    LinkUpdate,
    Parked,
    RecordKey,
    Retry,
    RunCount,
)
from schemas.links import Link, LinkState
from schemas.plans import Action, FieldPlan, Plan
from schemas.records import PARENT_FIELD, UNLINKED_PREFIX, ObjectType, System
from services.crm import Gone, Outdated, Rejected, Taken, Unclear, WriteResult
from sync_worker.carrying import Carried
from sync_worker.merge.memory import announced, settled
from sync_worker.work import Work

OUTDATED_AGAIN_S = 0.2
UNCLEAR_AGAIN_S = 1.0
PARENT_AGAIN_S = 1.0


def announcement(works: Sequence[Work]) -> Commit:
    """Commit 1: register, intents and the ledger's line, before any write (I22)."""
    return Commit(
        updates=tuple(
            LinkUpdate(link=announced(work.link, work.decided, work.seen), absorb_link_id=work.absorb_link_id)
            for work in works
        ),
        ledger=tuple(_ledger(work, "decided") for work in works),
        conflicts=tuple(conflict for work in works for conflict in _conflicts(work)),
    )


def outcome(
    works: Sequence[Work], before: dict[int, Link], carried: dict[int, Carried], verify_after_s: float
) -> Commit:
    """Commit 2: what the systems returned, what failed and when to look again; ends the leases."""
    updates: list[LinkUpdate] = []
    ledger: list[LedgerEntry] = []
    retries: list[Retry] = []
    parked: list[Parked] = []
    settled_keys: list[RecordKey] = []
    unparked: list[RecordKey] = []
    held: list[HeldField] = []
    cleared: list[tuple[int, str]] = []
    counts: dict[int, dict[RunCount, int]] = {}
    conflicts: list[Conflict] = []
    for work in works:
        so_far = carried.get(work.link.id)
        link = _after(work, before, so_far)
        updates.append(LinkUpdate(link=link, release=True, absorb_link_id=0 if so_far else work.absorb_link_id))
        if so_far is None and work.decided.action is not Action.NOTHING:
            conflicts += _conflicts(work)
        if _tells_something(work, so_far):
            ledger.append(_ledger(work, "done", so_far))
        _settle(work, link, so_far)
        new_retries = _retries(work, link, verify_after_s)
        retries += new_retries
        parked += _parked(work)
        settled_keys += [] if work.retry else work.keys()
        unparked += work.keys() if _agreed(work, link) else ()
        held += _held(work)
        cleared += _travelled(work)
        _count(work, so_far, counts)
    return Commit(
        updates=tuple(updates),
        ledger=tuple(ledger),
        conflicts=tuple(conflicts),
        held=tuple(held),
        held_cleared=tuple(cleared),
        retries=tuple(retries),
        settled=tuple(settled_keys),
        unparked=tuple(unparked),
        parked=tuple(parked),
        run_counts=counts,
    )


def _agreed(work: Work, link: Link) -> bool:
    """Whether whatever a person was asked about is answered."""
    open_question = work.parked is not None or work.retry is not None or link.parked or link.state is LinkState.HELD
    return not open_question and work.decided.action is not Action.NOTHING


def hand_back(hints: Iterable[Hint], category: str, delay_s: float) -> Commit:
    """Give hinted records back with a time, because they could not be worked on at all."""
    return Commit(
        retries=tuple(
            retry_for(
                RecordKey(hint.connection_id, hint.object_type, hint.system, hint.record_id),
                category,
                category,
                delay_s,
                hint.pull,
                hint.push,
                hint.run_id,
                hint.happening,
            )
            for hint in hints
        )
    )


def retry_for(
    key: RecordKey,
    category: str,
    reason: str,
    delay_s: float,
    pull: bool = False,
    push: bool = False,
    run_id: int = 0,
    happening: Happening = Happening.LOOK,
) -> Retry:
    """A row that brings the record back."""
    return Retry(
        connection_id=key.connection_id,
        object_type=key.object_type,
        system=key.system,
        record_id=key.record_id,
        category=category,
        reason=reason,
        delay_s=delay_s,
        pull=pull,
        push=push,
        run_id=run_id,
        happening=happening,
    )


def _after(work: Work, before: dict[int, Link], so_far: Carried | None) -> Link:
    """The link as it stands now."""
    plan = work.decided
    leased = before.get(work.link.id, work.link)
    if so_far is None:
        if plan.action in (Action.MERGE, Action.REMEMBER, Action.ASK):
            link = settled(leased, announced(work.link, plan, work.seen), plan, work.seen, {})
            return msgspec.structs.replace(link, parked=link.parked or bool(plan.conflict))
        return msgspec.structs.replace(work.link, reason=plan.reason or work.link.reason)
    base = announced(work.link, plan, work.seen)
    if so_far.trouble is not None and not so_far.written:
        return base
    kept = plan if so_far.trouble is None else msgspec.structs.replace(plan, state=work.link.state)
    link = settled(leased, base, kept, work.seen, so_far.written)
    return _with_new_ids(work, link, so_far)


def _with_new_ids(work: Work, link: Link, so_far: Carried) -> Link:
    plan = work.decided
    if plan.action is not Action.CREATE or plan.create_on is None or plan.create_on not in so_far.written:
        return link
    name = "hubspot_id" if plan.create_on is System.HUBSPOT else "falcana_id"
    return msgspec.structs.replace(
        link, **{name: so_far.written[plan.create_on].seen.record_id}, state=LinkState.LINKED
    )


def _settle(work: Work, link: Link, so_far: Carried | None) -> None:
    """Translate what went wrong into a retry, a held field or a parked record."""
    plan = work.decided
    if so_far is not None:
        for system, answer in so_far.written.items():
            work.refused |= {name: (system, reason) for name, reason in answer.refused.items()}
        if so_far.trouble is not None:
            _take_trouble(work, so_far.trouble, so_far.retry_after_s)
        elif so_far.unmarked or _open_intents(link):
            work.retry = ("unclear", "not confirmed", UNCLEAR_AGAIN_S)
    if plan.action is Action.LOOK_AGAIN and work.retry is None:
        work.retry = (plan.reason, plan.reason, PARENT_AGAIN_S)
    if plan.conflict:
        work.parked = (plan.conflict, plan.reason)
    if _waits_for_parent(plan) and work.retry is None:
        work.retry = ("parent_not_linked", "the company is not linked yet", PARENT_AGAIN_S)


def _take_trouble(work: Work, trouble: WriteResult, retry_after_s: float) -> None:
    match trouble:
        case Outdated() | Gone():
            work.retry = ("outdated", "changed while we worked", OUTDATED_AGAIN_S)
        case Unclear(reason=reason):
            work.retry = ("unclear", reason, max(UNCLEAR_AGAIN_S, retry_after_s))
        case Taken(field=name, holder_id=holder):
            work.parked = ("duplicate", f"{name} belongs to {holder or 'another record'}")
        case Rejected(reason=reason):
            work.parked = ("rejected", reason)


def _open_intents(link: Link) -> bool:
    return any(state.hubspot.intents or state.falcana.intents for state in link.fields.values())


def _waits_for_parent(plan: Plan) -> bool:
    return any(field.withheld == "parent_not_linked" for field in plan.fields)


def _retries(work: Work, link: Link, verify_after_s: float) -> list[Retry]:
    rows = []
    if work.retry is not None:
        category, reason, delay_s = work.retry
        pull, push = any(hint.pull for hint in work.hints), any(hint.push for hint in work.hints)
        run_id = max((hint.run_id for hint in work.hints), default=0)
        happening = Happening.ERASED if announced_erasure(work) else Happening.LOOK
        rows.append(retry_for(work.main_key(), category, reason, delay_s, pull, push, run_id, happening))
        if category == "parent_not_linked":
            rows += _bring_along(work, pull, push)
    elif link.unverified and link.hubspot_id:
        key = RecordKey(link.connection_id, link.object_type, System.HUBSPOT, link.hubspot_id)
        rows.append(retry_for(key, "verify", "own write", verify_after_s))
    return rows


def _bring_along(work: Work, pull: bool, push: bool) -> list[Retry]:
    """A hint for the company that a person waits for."""
    rows = []
    for system in System:
        value = work.seen.on(system).values.get(PARENT_FIELD)
        if value is not None and value.canon.startswith(UNLINKED_PREFIX):
            record_id = value.canon.split(":", 1)[1]
            key = RecordKey(work.link.connection_id, ObjectType.COMPANY, system, record_id)
            rows.append(retry_for(key, "brought_along", "a person waits for it", 0.0, pull, push))
    return rows


def _parked(work: Work) -> list[Parked]:
    if work.parked is None:
        return []
    key = work.main_key()
    category, reason = work.parked
    return [
        Parked(
            connection_id=key.connection_id,
            object_type=key.object_type,
            system=key.system,
            record_id=key.record_id,
            category=category,
            reason=reason,
        )
    ]


def _held(work: Work) -> list[HeldField]:
    rows = [
        HeldField(link_id=work.link.id, field=plan.field, towards=_towards(plan), reason=plan.withheld)
        for plan in work.decided.fields
        if plan.withheld
    ]
    return rows + [
        HeldField(link_id=work.link.id, field=name, towards=system, reason=reason)
        for name, (system, reason) in work.refused.items()
    ]


def _towards(plan: FieldPlan) -> System:
    return plan.winner.other if plan.winner else plan.writes[0]


def _travelled(work: Work) -> list[tuple[int, str]]:
    return [
        (work.link.id, plan.field)
        for plan in work.decided.fields
        if not plan.withheld and plan.field not in work.refused
    ]


def _conflicts(work: Work) -> list[Conflict]:
    plan = work.decided
    rows = [
        Conflict(
            link_id=work.link.id,
            field=one.field,
            rule=one.rule,
            loser=one.loser,
            winner=one.winner,
            winner_value=one.target,
        )
        for one in plan.fields
        if one.loser is not None and not one.withheld
    ]
    if plan.conflict:
        rows.append(Conflict(link_id=work.link.id, field="", rule=plan.conflict))
    return rows


def _tells_something(work: Work, so_far: Carried | None) -> bool:
    """Whether the ledger needs a line: looks that found nothing to do leave none."""
    plan = work.decided
    return (
        so_far is not None or plan.state is not work.link.state or plan.action is Action.ASK or work.parked is not None
    )


def _ledger(work: Work, stage: str, so_far: Carried | None = None) -> LedgerEntry:
    plan = work.decided
    detail: dict[str, Any] = {"plan": msgspec.to_builtins(plan)}
    if so_far is not None:
        detail = {"returned": {system.value: msgspec.to_builtins(answer) for system, answer in so_far.written.items()}}
        detail["trouble"] = (
            msgspec.to_builtins(so_far.trouble) | {"kind": type(so_far.trouble).__name__} if so_far.trouble else None
        )
    return LedgerEntry(
        link_id=work.link.id,
        stage=stage,
        action=plan.action.value,
        reason=plan.reason,
        detail=detail,
        causes=work.causes,
    )


def _count(work: Work, so_far: Carried | None, counts: dict[int, dict[RunCount, int]]) -> None:
    for run_id in {hint.run_id for hint in work.hints if hint.run_id}:
        of_run = counts.setdefault(run_id, {})
        kind = counted_as(work, so_far)
        if kind is not None:
            of_run[kind] = of_run.get(kind, 0) + 1


def counted_as(work: Work, so_far: Carried | None) -> RunCount | None:
    """Under which number of a run this record falls; None while it will be looked at again."""
    if work.retry is not None:
        return None
    if work.parked is not None:
        return RunCount.FAILED
    if work.decided.action is Action.CREATE and so_far is not None:
        return RunCount.CREATED
    if work.decided.action is Action.ARCHIVE and so_far is not None:
        return RunCount.DELETED
    if work.link.state is LinkState.HUBSPOT_DELETED:
        return RunCount.BLOCKED
    return RunCount.UPDATED if so_far is not None else RunCount.UNCHANGED


def erased_by_hint(work: Work) -> bool:
    """Whether a privacy deletion was announced for a record that is indeed gone."""
    return announced_erasure(work) and not work.seen.hubspot.present


def announced_erasure(work: Work) -> bool:
    """Whether an event spoke of a privacy deletion."""
    return any(hint.happening is Happening.ERASED for hint in work.hints)
