"""What a link remembers, before and after its plan is carried out. Pure.

``announced`` is stored before any write: the register, the intents, what was seen. ``settled`` is stored after it:
shadows are the values the systems *returned*, and an intent stays open until its value has been returned.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.links import FieldState, Link, LinkState, SideState
from schemas.plans import FieldPlan, Plan
from schemas.records import FieldValue, System
from schemas.seen import NOTHING_THERE, Presence, Seen, SideSeen
from sync_worker.merge.choose import value_on
from sync_worker.merge.rules import same

MOST_INTENTS = 5


def announced(link: Link, plan: Plan, seen: Seen) -> Link:
    """The link with everything that has to be known before a write is sent."""
    fields = dict(link.fields)
    for field_plan in plan.fields:
        if not field_plan.withheld:
            fields[field_plan.field] = _announce(link.memory(field_plan.field), field_plan, seen)
    return msgspec.structs.replace(link, fields=fields)


def _announce(memory: FieldState, plan: FieldPlan, seen: Seen) -> FieldState:
    return FieldState(
        hubspot=_announce_side(System.HUBSPOT, memory, plan, seen),
        falcana=_announce_side(System.FALCANA, memory, plan, seen),
        agreed=plan.agreed,
    )


def _announce_side(system: System, memory: FieldState, plan: FieldPlan, seen: Seen) -> SideState:
    before, side = memory.on(system), seen.on(system)
    # A record that is about to be created begins empty: an empty field of it is no edit of anybody's.
    readable = side.presence in (Presence.PRESENT, Presence.NONE)
    shadow = value_on(side, plan.field) if readable else before.shadow
    seen_ms = max(before.seen_ms, side.modified_ms)
    if system not in plan.writes:
        return SideState(shadow=shadow, seen_ms=seen_ms)
    others = tuple(intent for intent in before.intents if not same(intent, plan.target))
    return SideState(shadow=shadow, intents=(*others, plan.target)[-MOST_INTENTS:], seen_ms=seen_ms)


class SideWritten(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from one side: the record as returned and the fields it would not take. ``parent`` as written."""

    seen: SideSeen
    refused: Mapping[str, str] = {}


def settled(before: Link, announced_link: Link, plan: Plan, seen: Seen, written: Mapping[System, SideWritten]) -> Link:
    """The link after its writes. ``before`` is the link as leased: a refused field goes back to what it was."""
    fields = dict(announced_link.fields)
    for system, answer in written.items():
        for field_plan in plan.fields:
            name = field_plan.field
            if field_plan.withheld or system not in field_plan.writes:
                continue
            if name in answer.refused:
                fields[name] = _refuse(before.memory(name), system, field_plan.target)
            elif name in answer.seen.values:
                fields[name] = _confirm(fields[name], system, answer.seen.values[name])
    link = msgspec.structs.replace(announced_link, fields=fields)
    return _dated(before, link, plan, seen, written)


def _refuse(memory: FieldState, system: System, target: FieldValue) -> FieldState:
    return _with_side(memory, system, msgspec.structs.replace(memory.on(system), refused=target.canon))


def _with_side(memory: FieldState, system: System, side: SideState) -> FieldState:
    if system is System.HUBSPOT:
        return msgspec.structs.replace(memory, hubspot=side)
    return msgspec.structs.replace(memory, falcana=side)


def _confirm(memory: FieldState, system: System, returned: FieldValue) -> FieldState:
    side = msgspec.structs.replace(memory.on(system), shadow=returned, intents=())
    return _with_side(memory, system, side)


def _dated(before: Link, link: Link, plan: Plan, seen: Seen, written: Mapping[System, SideWritten]) -> Link:
    hubspot = written[System.HUBSPOT].seen if System.HUBSPOT in written else seen.hubspot
    falcana = written[System.FALCANA].seen if System.FALCANA in written else seen.falcana
    if any(field.withheld for field in plan.fields):
        # Something still waits: the poller must not take the record for known, or it would wait for another edit.
        hubspot = falcana = NOTHING_THERE
    return msgspec.structs.replace(
        link,
        state=plan.state,
        reason=plan.reason,
        hubspot_modified_ms=hubspot.modified_ms or link.hubspot_modified_ms,
        falcana_version=falcana.version or link.falcana_version,
        falcana_modified_ms=falcana.modified_ms or link.falcana_modified_ms,
        unverified=_unverified(before, seen, written),
        erased=link.erased or plan.erase,
    )


def _unverified(before: Link, seen: Seen, written: Mapping[System, SideWritten]) -> bool:
    """Own HubSpot writes, and open intents of an earlier attempt that were cleared, may have buried an edit."""
    if System.HUBSPOT in written:
        return True
    if seen.hubspot.history is not None:
        return False
    return before.unverified or any(state.hubspot.intents for state in before.fields.values())


def unlinked_from_hubspot(link: Link, reason: str) -> Link:
    """A falcana record whose HubSpot record belongs to another link now: kept, flagged, not re-created (Q21)."""
    return msgspec.structs.replace(
        link, hubspot_id=None, state=LinkState.UNLINKED, fields={}, reason=reason, parked=True, hubspot_modified_ms=0
    )
