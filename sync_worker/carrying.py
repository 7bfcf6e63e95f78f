"""Carry out: plans become batch writes. falcana first, because its lock can still say no; then HubSpot.

A result belongs to one record. A call that fails as a whole leaves every record of it unclear: they are observed again
before anything else. Only fields whose value is not the target are sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from schemas.links import Link
from schemas.plans import Action
from schemas.records import PARENT_FIELD, FieldValue, ObjectType, System
from services.crm import Denied, RateLimited, Refused, Unavailable, Unclear, Write, WriteResult, Written
from services.store.store import Store
from sync_worker.merge.memory import SideWritten
from sync_worker.work import Crms, Work


@dataclass
class Carried:
    """What came of one record: the answers per side, the first thing that went wrong, and whether it was archived."""

    written: dict[System, SideWritten] = field(default_factory=dict)
    trouble: WriteResult | None = None
    archived: bool = False
    unmarked: bool = False
    retry_after_s: float = 0.0


async def carry_out(works: Sequence[Work], object_type: ObjectType, crms: Crms, store: Store) -> dict[int, Carried]:
    """Write every plan; one ``Carried`` per link id. Never raises for a CRM: failures are results."""
    carried = {work.link.id: Carried() for work in works}
    companies = await _companies(works, object_type, store)
    await _write_side(System.FALCANA, works, object_type, crms, carried, companies)
    fine = [work for work in works if carried[work.link.id].trouble is None]
    await _write_side(System.HUBSPOT, fine, object_type, crms, carried, companies)
    await _archive(fine, object_type, crms, carried)
    await _mark_created(fine, object_type, crms, carried)
    return carried


async def _companies(works: Sequence[Work], object_type: ObjectType, store: Store) -> dict[int, Link]:
    """The links of all companies that people are put under, by link id."""
    if object_type is not ObjectType.CONTACT:
        return {}
    targets = {
        plan.target.canon
        for work in works
        for plan in work.decided.fields
        if plan.field == PARENT_FIELD and plan.writes
    }
    ids = [int(canon) for canon in targets if canon.isdigit()]
    return await store.links.by_ids(works[0].link.connection_id, ids) if ids else {}


async def _write_side(
    system: System,
    works: Sequence[Work],
    object_type: ObjectType,
    crms: Crms,
    carried: dict[int, Carried],
    companies: dict[int, Link],
) -> None:
    creates: list[Write] = []
    updates: list[Write] = []
    for work in works:
        write = _write(system, work, carried[work.link.id], companies)
        if write is not None:
            (updates if write.record_id else creates).append(write)
    crm = crms.on(system)
    results: list[WriteResult] = []
    if creates:
        results += await _attempt(crm.create(object_type, creates), creates, carried)
    if updates:
        results += await _attempt(crm.update(object_type, updates), updates, carried)
    by_ref = {work.link.id: work for work in works}
    for result in results:
        _take(system, result, by_ref[result.ref], carried[result.ref])


async def _attempt(call, writes: Sequence[Write], carried: dict[int, Carried]) -> list[WriteResult]:  # type: ignore[no-untyped-def]
    """A failed call leaves the outcome of every write in it unclear."""
    try:
        return list(await call)
    except RateLimited as error:
        for write in writes:
            carried[write.ref].retry_after_s = error.retry_after_s
        return [Unclear(ref=write.ref, reason="rate_limited") for write in writes]
    except (Unavailable, Denied, Refused) as error:
        return [Unclear(ref=write.ref, reason=type(error).__name__.lower()) for write in writes]


def _write(system: System, work: Work, so_far: Carried, companies: dict[int, Link]) -> Write | None:
    """What one side of one record has to be told, None when it is right already."""
    plan, link = work.decided, work.link
    creating = plan.action is Action.CREATE and plan.create_on is system
    values = dict(plan.writes_to(system))
    parent = values.pop(PARENT_FIELD, None)
    marker = _marker(system, work, so_far)
    if not creating and not values and parent is None and not marker:
        return None
    side = work.seen.on(system)
    return Write(
        ref=link.id,
        record_id="" if creating else side.record_id,
        values=values,
        version=side.version,
        marker=marker,
        parent_id=_raw_parent(system, parent, creating, companies),
        former_parent_id="" if creating else side.parent_id,
        idempotency_key=f"{link.connection_id}-{link.object_type.value}-{link.id_on(system.other)}" if creating else "",
    )


def _marker(system: System, work: Work, so_far: Carried) -> str:
    """The other side's id to be stored here. After a create in falcana, HubSpot learns the new id if push is on."""
    plan, link = work.decided, work.link
    if plan.action is Action.CREATE and plan.create_on is System.FALCANA and system is System.HUBSPOT:
        created = so_far.written.get(System.FALCANA)
        return created.seen.record_id if created and work.rules.push else ""
    return (link.id_on(system.other) or "") if system in plan.mark else ""


def _raw_parent(system: System, parent: FieldValue | None, creating: bool, companies: dict[int, Link]) -> str | None:
    if parent is None:
        return "" if creating else None
    if not parent.canon.isdigit():
        return ""
    company = companies.get(int(parent.canon))
    return (company.id_on(system) or None) if company else None


def _take(system: System, result: WriteResult, work: Work, so_far: Carried) -> None:
    if not isinstance(result, Written):
        so_far.trouble = so_far.trouble or result
        return
    values = dict(result.seen.values)
    parent = work.decided.writes_to(system).get(PARENT_FIELD)
    values.pop(PARENT_FIELD, None)
    if parent is not None and result.parent_written:
        values[PARENT_FIELD] = parent
    seen = msgspec.structs.replace(result.seen, values=values)
    so_far.written[system] = SideWritten(seen=seen, refused=result.refused)


async def _archive(works: Sequence[Work], object_type: ObjectType, crms: Crms, carried: dict[int, Carried]) -> None:
    doomed = {work.seen.hubspot.record_id: work for work in works if work.decided.action is Action.ARCHIVE}
    if not doomed:
        return
    try:
        gone = await crms.hubspot.archive(object_type, list(doomed))
    except (Unavailable, Denied, Refused) as error:
        gone = {}
        for work in doomed.values():
            carried[work.link.id].trouble = Unclear(ref=work.link.id, reason=type(error).__name__.lower())
    for record_id, work in doomed.items():
        so_far = carried[work.link.id]
        so_far.archived = gone.get(record_id, False)
        if not so_far.archived and so_far.trouble is None:
            so_far.trouble = Unclear(ref=work.link.id, reason="not_archived")


async def _mark_created(
    works: Sequence[Work], object_type: ObjectType, crms: Crms, carried: dict[int, Carried]
) -> None:
    """After a create in HubSpot its id goes into falcana's read-only Individualfeld (R34).

    A failure is made good later.
    """
    marks = []
    for work in works:
        created = carried[work.link.id].written.get(System.HUBSPOT)
        if work.decided.action is Action.CREATE and work.decided.create_on is System.HUBSPOT and created:
            side = work.seen.falcana
            marks.append(
                Write(ref=work.link.id, record_id=side.record_id, version=side.version, marker=created.seen.record_id)
            )
    if not marks:
        return
    for result in await _attempt(crms.falcana.update(object_type, marks), marks, carried):
        so_far = carried[result.ref]
        if isinstance(result, Written):
            so_far.written[System.FALCANA] = SideWritten(seen=result.seen)
        else:
            so_far.unmarked = True
