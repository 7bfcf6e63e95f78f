"""All fields of two records that are both there: what happens to each of them."""

from __future__ import annotations

from schemas.connections import MergeScope
from schemas.links import NO_MEMORY, FieldState, Link, Register
from schemas.plans import FieldPlan
from schemas.records import FieldRule, FieldValue, System
from schemas.seen import Seen
from sync_worker.merge.choose import Choice, as_loser, choose, new_edit, value_on
from sync_worker.merge.rules import Candidate, Rules, later, same, why_withheld

BOTH = (System.HUBSPOT, System.FALCANA)


def plan_fields(link: Link, seen: Seen, rules: Rules) -> tuple[FieldPlan, ...]:
    """One plan per mapped field. Fields do not influence each other, except under ``merge_scope = record``."""
    winner = _record_winner(link, seen, rules)
    if winner is None:
        choices = [(rule, choose(rule, link.memory(rule.name), seen, rules)) for rule in rules.fields]
    else:
        choices = [(rule, _by_record(rule, winner, link, seen, rules)) for rule in rules.fields]
    return tuple(plan_field(rule, choice, seen, rules, link.memory(rule.name)) for rule, choice in choices)


def plan_field(rule: FieldRule, choice: Choice, seen: Seen, rules: Rules, memory: FieldState = NO_MEMORY) -> FieldPlan:
    """Turn a choice into writes: only the sides whose value is not the target, and only where it may travel."""
    target = choice.winner.value
    writes = tuple(system for system in BOTH if not same(value_on(seen.on(system), rule.name), target))
    withheld = choice.blocked if writes else ""
    if writes:
        withheld = withheld or seen.frozen_fields.get(rule.name, "") or _withheld(rule, target, writes, rules)
        withheld = withheld or _refused_before(target, writes, memory)
    return FieldPlan(
        field=rule.name,
        rule=choice.rule,
        target=target,
        agreed=Register(target, choice.winner.time_ms, choice.winner.origin),
        writes=writes,
        winner=choice.winner.origin,
        loser=None if withheld else choice.loser,
        withheld=withheld,
    )


def _withheld(rule: FieldRule, target: FieldValue, writes: tuple[System, ...], rules: Rules) -> str:
    reasons = (why_withheld(rule, target, system, rules) for system in writes)
    return next((reason for reason in reasons if reason), "")


def _refused_before(target: FieldValue, writes: tuple[System, ...], memory: FieldState) -> str:
    """A value that a side would not take is not offered again; another value is."""
    return "refused" if any(target.canon and memory.on(system).refused == target.canon for system in writes) else ""


def plan_create(source: System, seen: Seen, rules: Rules) -> tuple[FieldPlan, ...]:
    """Every filled field of the existing record, to be written into a new one on the other side."""
    side = seen.on(source)
    plans = []
    for rule in rules.fields:
        value = value_on(side, rule.name)
        choice = Choice(winner=Candidate(value, side.edited_ms, source), rule="create")
        plans.append(plan_field(rule, choice, seen, rules))
    return tuple(plans)


def _record_winner(link: Link, seen: Seen, rules: Rules) -> System | None:
    """Under ``merge_scope = record``: the side whose record was modified later, if both were edited."""
    if rules.merge_scope is not MergeScope.RECORD:
        return None
    edited = [system for system in BOTH if _edited(system, link, seen, rules)]
    if len(edited) < 2:
        return None
    dated = [Candidate(FieldValue("", ""), seen.on(system).edited_ms, system) for system in BOTH]
    return later(dated[0], dated[1], rules).origin


def _edited(system: System, link: Link, seen: Seen, rules: Rules) -> bool:
    memories = ((rule.name, link.memory(rule.name)) for rule in rules.fields if len(rule.flows_to) == 2)
    return any(
        new_edit(system, name, memory.on(system), seen.on(system))
        for name, memory in memories
        if memory.agreed is not None
    )


def _by_record(rule: FieldRule, winner: System, link: Link, seen: Seen, rules: Rules) -> Choice:
    """The whole record follows the winner; what the other side had edited is kept as the loser."""
    memory = link.memory(rule.name)
    if memory.agreed is None or len(rule.flows_to) == 1:
        return choose(rule, memory, seen, rules)
    taken = Candidate(value_on(seen.on(winner), rule.name), seen.on(winner).edited_ms, winner)
    lost = new_edit(winner.other, rule.name, memory.on(winner.other), seen.on(winner.other))
    if lost is None or same(lost.value, taken.value):
        return Choice(winner=taken, rule="later_record")
    return Choice(winner=taken, rule="later_record", loser=as_loser(lost, taken))
