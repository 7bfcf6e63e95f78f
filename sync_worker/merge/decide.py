"""decide(link, seen, rules) -> Plan: what is to be done with one record, and why. No await, no clock, no I/O.

The branches follow the link state machine (docs/states.md). Absence is never a delete: only an archived record, a
confirmed 404 or a tombstone is. A record deleted in HubSpot is never re-created or updated (R12, R13, Q17).
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.links import Link, LinkState
from schemas.plans import Action, Plan
from schemas.records import PARENT_FIELD, UNLINKED_PREFIX, System
from schemas.seen import Presence, Seen, SideSeen
from sync_worker.merge.choose import explained, value_on
from sync_worker.merge.fields import plan_create, plan_fields
from sync_worker.merge.rules import Rules

GONE = (Presence.ARCHIVED, Presence.DELETED)
BLOCKED_STATES = (LinkState.TRANSFERRED, LinkState.CLOSED)
DELETED_IN_FALCANA = (LinkState.FALCANA_DELETED_PENDING, LinkState.HELD)

Named = Mapping[str, int]
"""Fields that a foreign HubSpot event named, with the time of the event (ms)."""


def decide(link: Link, seen: Seen, rules: Rules, named: Named | None = None) -> Plan:
    """The plan for one record. READ_HISTORY asks for the same observation once more, with HubSpot's history."""
    if link.parked or link.state in BLOCKED_STATES:
        return nothing(link, link.reason or link.state.value)
    if Presence.UNKNOWN in (seen.hubspot.presence, seen.falcana.presence):
        return look_again(link, "could_not_ask")
    for system in (System.FALCANA, System.HUBSPOT):
        if seen.on(system).presence is Presence.MERGED:
            return _follow(link, system, seen.on(system))
    if link.state is LinkState.UNLINKED:
        return _unlinked(link, seen, rules)
    return _linked(link, seen, rules, named or {})


def nothing(link: Link, reason: str) -> Plan:
    """Leave the record alone."""
    return Plan(link_id=link.id, action=Action.NOTHING, state=link.state, reason=reason)


def look_again(link: Link, reason: str) -> Plan:
    """Leave the record alone for now."""
    return Plan(link_id=link.id, action=Action.LOOK_AGAIN, state=link.state, reason=reason)


def _remember(link: Link, state: LinkState, reason: str, erase: bool = False) -> Plan:
    return Plan(link_id=link.id, action=Action.REMEMBER, state=state, reason=reason, erase=erase)


def _follow(link: Link, system: System, side: SideSeen) -> Plan:
    """A merge gave the record another id; who keeps the link is settled where both links are known."""
    return Plan(
        link_id=link.id,
        action=Action.FOLLOW,
        state=link.state,
        reason="merged",
        new_id=side.survivor_id,
        new_id_on=system,
    )


def _unlinked(link: Link, seen: Seen, rules: Rules) -> Plan:
    hubspot, falcana = seen.hubspot, seen.falcana
    if hubspot.present and falcana.present:
        return _merge(link, seen, rules)
    if falcana.presence in GONE:
        return _remember(link, LinkState.CLOSED, "deleted_before_linked")
    if hubspot.presence in GONE:
        return nothing(link, "gone_before_linked")
    if hubspot.present:
        return _create(link, System.FALCANA, seen, rules)
    if falcana.present:
        return _create(link, System.HUBSPOT, seen, rules)
    return nothing(link, "not_visible")


def _create(link: Link, on: System, seen: Seen, rules: Rules) -> Plan:
    """A record that exists on one side only. The other side gets it where that direction is on (R4-R7)."""
    source = seen.on(on.other)
    reason = _why_not_created(on, source, rules)
    if reason:
        return nothing(link, reason)
    waiting = value_on(source, PARENT_FIELD).canon.startswith(UNLINKED_PREFIX)
    if waiting and PARENT_FIELD not in seen.frozen_fields:
        return look_again(link, "parent_not_linked")
    fields = plan_create(on.other, seen, rules)
    return Plan(
        link_id=link.id,
        action=Action.CREATE,
        state=LinkState.LINKED,
        reason="created",
        create_on=on,
        fields=fields,
        mark=(on,),
    )


def _why_not_created(on: System, source: SideSeen, rules: Rules) -> str:
    if not rules.may_write(on):
        return "direction_off"
    if source.holder:
        return "privatperson"
    required = [rule.name for rule in rules.fields if on in rule.required_on and rule.name != PARENT_FIELD]
    missing = [name for name in required if value_on(source, name).empty]
    if missing:
        return f"missing_{missing[0]}"
    without_company = (
        on is System.FALCANA and rules.skip_without_company and PARENT_FIELD in {r.name for r in rules.fields}
    )
    if without_company and value_on(source, PARENT_FIELD).empty:
        return "without_company"
    return ""


def _linked(link: Link, seen: Seen, rules: Rules, named: Named) -> Plan:
    hubspot, falcana = seen.hubspot, seen.falcana
    if hubspot.presence in GONE:
        return _gone_in_hubspot(link, seen)
    if not hubspot.present:
        return nothing(link, "not_visible_in_hubspot")
    if link.erased:
        return nothing(link, "erased")
    if falcana.presence in GONE:
        return _gone_in_falcana(link, seen, rules)
    if not falcana.present:
        return nothing(link, "hidden_in_falcana")
    if seen.hubspot.history is None and history_needed(link, seen, named):
        return Plan(link_id=link.id, action=Action.READ_HISTORY, state=link.state, reason="possible_conflict")
    return _merge(link, seen, rules)


def _gone_in_hubspot(link: Link, seen: Seen) -> Plan:
    if seen.falcana.presence in GONE:
        return _remember(link, LinkState.CLOSED, "deleted_on_both_sides")
    if link.state in DELETED_IN_FALCANA and not seen.falcana.present:
        return _remember(link, LinkState.CLOSED, "already_gone_in_hubspot")
    if link.state is LinkState.HUBSPOT_DELETED:
        return nothing(link, "deleted_in_hubspot")
    return _remember(link, LinkState.HUBSPOT_DELETED, f"hubspot_{seen.hubspot.presence.value}")


def _gone_in_falcana(link: Link, seen: Seen, rules: Rules) -> Plan:
    """A tombstone: archive in HubSpot with the push, unless a person edited there after the delete (R15, matrix)."""
    pending = LinkState.FALCANA_DELETED_PENDING
    if link.state is LinkState.HUBSPOT_DELETED:
        return _remember(link, LinkState.CLOSED, "deleted_on_both_sides")
    if link.state is LinkState.HELD:
        return nothing(link, "held_by_delete_brake")
    if not rules.push:
        return _remember(link, pending, "push_off") if link.state is not pending else nothing(link, "push_off")
    unmoved = seen.hubspot.modified_ms == link.hubspot_modified_ms and not link.unverified
    if seen.hubspot.history is None and not unmoved:
        return Plan(link_id=link.id, action=Action.READ_HISTORY, state=link.state, reason="edited_after_delete?")
    if _edited_after_delete(link, seen, rules):
        return Plan(
            link_id=link.id, action=Action.ASK, state=pending, reason="edit_vs_delete", conflict="edit_vs_delete"
        )
    return Plan(link_id=link.id, action=Action.ARCHIVE, state=LinkState.CLOSED, reason="deleted_in_falcana")


def _edited_after_delete(link: Link, seen: Seen, rules: Rules) -> bool:
    """Whether a person changed a mapped field in HubSpot after the delete, in an edit we had not seen."""
    bound = seen.falcana.deleted_ms + rules.skew_bound_ms
    for rule in rules.fields:
        known_ms = link.memory(rule.name).hubspot.seen_ms
        entries = (seen.hubspot.history or {}).get(rule.name, ())
        if any(not entry.own and entry.time_ms > max(known_ms, bound) for entry in entries):
            return True
    return False


def _merge(link: Link, seen: Seen, rules: Rules) -> Plan:
    fields = plan_fields(link, seen, rules)
    reason = "restored" if link.state is not LinkState.LINKED and link.state is not LinkState.UNLINKED else ""
    if link.state is LinkState.UNLINKED:
        reason = "first_contact"
    return Plan(
        link_id=link.id,
        action=Action.MERGE,
        state=LinkState.LINKED,
        reason=reason,
        fields=fields,
        mark=_marks(link, seen, rules),
    )


def _marks(link: Link, seen: Seen, rules: Rules) -> tuple[System, ...]:
    """Where the other side's id is missing.

    falcana's Individualfeld is ours in every mode (R34); HubSpot's needs push.
    """
    marks = []
    if rules.push and link.falcana_id and seen.hubspot.marker != link.falcana_id:
        marks.append(System.HUBSPOT)
    if (rules.pull or rules.push) and link.hubspot_id and seen.falcana.marker != link.hubspot_id:
        marks.append(System.FALCANA)
    return tuple(marks)


def history_needed(link: Link, seen: Seen, named: Named) -> bool:
    """Whether an edit in HubSpot could be hidden from a plain read: both sides moved, an open intent, an own write
    not verified yet, or an event that named a change which the values do not show."""
    both_moved = seen.hubspot.modified_ms != link.hubspot_modified_ms and seen.falcana.version != link.falcana_version
    if link.unverified or (both_moved and link.hubspot_modified_ms > 0):
        return True
    if any(state.hubspot.intents or state.falcana.intents for state in link.fields.values()):
        return True
    return any(_hidden(link, seen, field, time_ms) for field, time_ms in named.items())


def _hidden(link: Link, seen: Seen, field: str, time_ms: int) -> bool:
    memory = link.memory(field).hubspot
    return time_ms > memory.seen_ms and explained(value_on(seen.hubspot, field), memory)
