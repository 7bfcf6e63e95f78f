"""One field, three trees: which value should both sides hold, and by which rule.

A side that did not change cannot win. A value explained by its shadow or by an open intent is not an edit. HubSpot's
history also shows edits that one of our own writes has buried; they are decided again.
"""

from __future__ import annotations

import msgspec

from schemas.links import FieldState, Register, SideState
from schemas.plans import Loser
from schemas.records import EMPTY, FieldRule, FieldValue, System
from schemas.seen import Edit, Seen, SideSeen
from sync_worker.merge.rules import Candidate, Rules, later, same


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The value both sides should hold. ``blocked`` means that nothing may be done for a reason of the rule itself."""

    winner: Candidate
    rule: str
    loser: Loser | None = None
    blocked: str = ""


def value_on(side: SideSeen, field: str) -> FieldValue:
    """What a side shows; a field it did not mention is empty."""
    return side.values.get(field, EMPTY)


def explained(value: FieldValue, memory: SideState) -> bool:
    """Whether a value is one we remember from, or were about to write to, this side."""
    known = memory.shadow is not None and same(memory.shadow, value)
    return known or any(same(intent, value) for intent in memory.intents)


def new_edit(system: System, field: str, memory: SideState, side: SideSeen) -> Candidate | None:
    """The newest edit on one side that was not taken into account yet, None when there is none."""
    foreign = _foreign_entries(field, memory, side)
    if foreign:
        return Candidate(foreign[0].value, foreign[0].time_ms, system)
    shown = value_on(side, field)
    if explained(shown, memory):
        return None
    return Candidate(shown, _edit_time(field, side), system)


def _foreign_entries(field: str, memory: SideState, side: SideSeen) -> list[Edit]:
    entries = (side.history or {}).get(field, ())
    return [entry for entry in entries if not entry.own and entry.time_ms > memory.seen_ms]


def _edit_time(field: str, side: SideSeen) -> int:
    known = side.field_times.get(field)
    if known is not None and not known.own:
        return known.time_ms
    return side.edited_ms


def choose(rule: FieldRule, state: FieldState, seen: Seen, rules: Rules) -> Choice:
    """The value for one field of two records that are both there."""
    if state.agreed is None:
        return _first_contact(rule, seen, rules)
    edits = {
        system: new_edit(system, rule.name, state.on(system), seen.on(system))
        for system in (System.HUBSPOT, System.FALCANA)
    }
    if len(rule.flows_to) == 1:
        return _owned(rule.flows_to[0], edits, state.agreed)
    hubspot, falcana = edits[System.HUBSPOT], edits[System.FALCANA]
    if hubspot and falcana:
        return _both_edited(hubspot, falcana, rules)
    edit = hubspot or falcana
    if edit is None:
        return Choice(winner=_as_candidate(state.agreed), rule="agreed")
    return _one_edited(rule.name, edit, state, seen, rules)


def _both_edited(hubspot: Candidate, falcana: Candidate, rules: Rules) -> Choice:
    winner = later(hubspot, falcana, rules)
    if same(hubspot.value, falcana.value):
        return Choice(winner=winner, rule="same_edit")
    loser = falcana if winner is hubspot else hubspot
    return Choice(winner=winner, rule="later_edit", loser=as_loser(loser, winner))


def _one_edited(field: str, edit: Candidate, state: FieldState, seen: Seen, rules: Rules) -> Choice:
    agreed = state.agreed
    assert agreed is not None
    if edit.origin is agreed.origin:
        return Choice(winner=edit, rule="one_side_edited")
    if same(edit.value, agreed.value) or _saw(field, edit, agreed, state, seen):
        return Choice(winner=edit, rule="edited_after_arrival")
    standing = _as_candidate(agreed)
    winner = later(edit, standing, rules)
    loser = standing if winner is edit else edit
    return Choice(winner=winner, rule="later_edit", loser=as_loser(loser, winner))


def _saw(field: str, edit: Candidate, agreed: Register, state: FieldState, seen: Seen) -> bool:
    """Whether the author of an edit saw the agreed value of the other side: then dates do not matter."""
    history = (seen.on(edit.origin).history or {}).get(field, ())
    arrivals = [entry.time_ms for entry in history if entry.own and same(entry.value, agreed.value)]
    if arrivals:
        return min(arrivals) < edit.time_ms
    memory = state.on(edit.origin)
    return memory.shadow is not None and same(memory.shadow, agreed.value) and not memory.intents


def _owned(written: System, edits: dict[System, Candidate | None], agreed: Register) -> Choice:
    """A one-way field: its owner decides, and an edit on the other side loses but is kept."""
    winner = edits[written.other] or _as_candidate(agreed)
    strayed = edits[written]
    if strayed is None or same(strayed.value, winner.value):
        return Choice(winner=winner, rule="owner")
    return Choice(winner=winner, rule="owner", loser=as_loser(strayed, winner))


def _first_contact(rule: FieldRule, seen: Seen, rules: Rules) -> Choice:
    """Two existing records meet: record dates decide, and an empty value never erases (a2, R33)."""
    hubspot, falcana = (
        Candidate(value_on(seen.on(system), rule.name), seen.on(system).edited_ms, system)
        for system in (System.HUBSPOT, System.FALCANA)
    )
    winner = later(hubspot, falcana, rules)
    if same(hubspot.value, falcana.value):
        return Choice(winner=winner, rule="first_contact_equal")
    if len(rule.flows_to) == 1:
        owner = falcana if rule.flows_to[0] is System.HUBSPOT else hubspot
        return Choice(winner=owner, rule="owner", blocked="empty_never_erases" if owner.value.empty else "")
    for filled, blank in ((hubspot, falcana), (falcana, hubspot)):
        if blank.value.empty:
            return Choice(winner=filled, rule="fill_blank")
    loser = falcana if winner is hubspot else hubspot
    return Choice(winner=winner, rule="first_contact_date", loser=as_loser(loser, winner))


def as_loser(loser: Candidate, winner: Candidate) -> Loser:
    """A candidate that was not taken, with both times."""
    return Loser(value=loser.value, system=loser.origin, time_ms=loser.time_ms, winner_time_ms=winner.time_ms)


def _as_candidate(agreed: Register) -> Candidate:
    return Candidate(agreed.value, agreed.time_ms, agreed.origin)
