"""Laws of the merge, on a small pure world: two sides, one link, edits in any order at any time."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Happening, Hint
from schemas.links import FieldState, Link
from schemas.plans import FieldPlan, Plan
from schemas.records import EMPTY, FieldRule, FieldValue, ObjectType, System
from schemas.seen import Edit, FieldTime, Presence, Seen, SideSeen
from sync_worker.merge.choose import value_on
from sync_worker.merge.decide import decide
from sync_worker.merge.memory import SideWritten, announced, settled
from sync_worker.merge.rules import Rules, same
from sync_worker.work import coalesce
from tests.builders import FIELDS, link, rules, value

SYSTEMS = (System.HUBSPOT, System.FALCANA)
TEXTS = st.sampled_from(["", "Wien", "Graz", "Linz", "wien "])
VALUES = st.builds(lambda text: FieldValue(text, text.strip().lower()), TEXTS)
NAMES = [rule.name for rule in FIELDS]
RECORDS = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
TIMES = st.integers(min_value=1, max_value=20_000)
BOUNDS = st.sampled_from([0, 300, 2000])


class World:
    """Both records with their histories, and what the link remembers."""

    def __init__(self, hubspot: dict[str, FieldValue], falcana: dict[str, FieldValue], times: tuple[int, int]) -> None:
        self.values = {System.HUBSPOT: dict(hubspot), System.FALCANA: dict(falcana)}
        self.dates = {System.HUBSPOT: times[0], System.FALCANA: times[1]}
        self.edited = dict(self.dates)
        self.version = 1
        self.history: dict[str, list[Edit]] = {
            name: [Edit(one, times[0], own=False)] for name, one in hubspot.items() if not one.empty
        }
        self.field_times: dict[str, FieldTime] = {}
        self.link = msgspec.structs.replace(link(), fields={})
        self.clock = max(times)

    def observe(self, history: bool) -> Seen:
        """What a read of both sides shows."""
        entries = {name: tuple(reversed(self.history.get(name, []))) for name in NAMES}
        return Seen(
            hubspot=self._side(System.HUBSPOT, history=entries if history else None),
            falcana=self._side(System.FALCANA, field_times=dict(self.field_times)),
        )

    def _side(self, system: System, **more: object) -> SideSeen:
        side = SideSeen(
            presence=Presence.PRESENT,
            record_id="1",
            values=dict(self.values[system]),
            modified_ms=self.dates[system],
            edited_ms=self.edited[system],
            version=self.version if system is System.FALCANA else 0,
            marker="1",
        )
        return msgspec.structs.replace(side, **more)

    def edit(self, system: System, name: str, new: FieldValue, later_ms: int) -> None:
        """A person changes a field."""
        self.clock += later_ms
        if self.values[system].get(name, EMPTY) == new:
            return
        self.values[system][name] = new
        self.dates[system] = self.edited[system] = self.clock
        if system is System.HUBSPOT:
            self.history.setdefault(name, []).append(Edit(new, self.clock, own=False))
        else:
            self.version += 1
            self.field_times[name] = FieldTime(self.clock, own=False)

    def write(self, system: System, fields: dict[str, FieldValue]) -> SideWritten:
        """The sync writes fields."""
        self.clock += 1
        self.values[system] |= fields
        self.dates[system] = self.clock
        if system is System.HUBSPOT:
            for name, new in fields.items():
                self.history.setdefault(name, []).append(Edit(new, self.clock, own=True))
        else:
            self.version += 1
            self.field_times |= {name: FieldTime(self.clock, own=True) for name in fields}
        answer = SideSeen(
            presence=Presence.PRESENT,
            record_id="1",
            values=fields,
            modified_ms=self.dates[system],
            version=self.version if system is System.FALCANA else 0,
        )
        return SideWritten(seen=answer)

    def plan(self, using: Rules) -> tuple[Plan, Seen]:
        """Decide, reading history where the core asks for it."""
        seen = self.observe(history=False)
        plan = decide(self.link, seen, using)
        if plan.action == "read_history":
            seen = self.observe(history=True)
            plan = decide(self.link, seen, using)
        return plan, seen

    def sync(self, using: Rules, *, only: tuple[System, ...] = SYSTEMS, faster: object = None) -> Plan:
        """One pass. ``only``: where a crash lets writes through; ``faster``: an edit between read and write."""
        plan, seen = self.plan(using)
        before, self.link = self.link, announced(self.link, plan, seen)
        if callable(faster):
            faster()
        written = {}
        for system in (System.FALCANA, System.HUBSPOT):
            fields = plan.writes_to(system)
            if fields and system in only:
                written[system] = self.write(system, fields)
        if set(only) == set(SYSTEMS):
            self.link = settled(before, self.link, plan, seen, written)
        return plan

    def state(self) -> dict[System, dict[str, str]]:
        """Both sides, comparable."""
        return {system: {name: one.canon for name, one in values.items()} for system, values in self.values.items()}


WORLDS = st.builds(World, RECORDS, RECORDS, st.tuples(TIMES, TIMES))
EDITS = st.lists(st.tuples(st.sampled_from(SYSTEMS), st.sampled_from(NAMES), VALUES, st.integers(0, 5000)), max_size=6)


def travelling(plan: Plan) -> list[FieldPlan]:
    """The fields of a plan that are not withheld."""
    return [field for field in plan.fields if not field.withheld]


@settings(max_examples=150, deadline=None)
@given(WORLDS, EDITS, BOUNDS)
def test_a_second_pass_writes_nothing(
    world: World, edits: list[tuple[System, str, FieldValue, int]], bound: int
) -> None:
    using = rules(bound_ms=bound)
    world.sync(using)
    for one in edits:
        world.edit(*one)
    world.sync(using)

    again = world.sync(using)
    assert [field for field in travelling(again) if field.writes] == []


@settings(max_examples=150, deadline=None)
@given(WORLDS, EDITS, BOUNDS)
def test_both_sides_agree_afterwards_except_where_a_value_is_withheld(
    world: World, edits: list[tuple[System, str, FieldValue, int]], bound: int
) -> None:
    using = rules(bound_ms=bound)
    world.sync(using)
    for one in edits:
        world.edit(*one)
    plan = world.sync(using)

    for field in travelling(plan):
        assert same(
            value_on(world.observe(False).hubspot, field.field), value_on(world.observe(False).falcana, field.field)
        )


@settings(max_examples=150, deadline=None)
@given(WORLDS, EDITS)
def test_no_value_is_invented(world: World, edits: list[tuple[System, str, FieldValue, int]]) -> None:
    known = {one.canon for values in world.values.values() for one in values.values()}
    world.sync(rules())
    for one in edits:
        world.edit(*one)
        known.add(one[2].canon)
    plan = world.sync(rules())

    assert {target.canon for system in SYSTEMS for target in plan.writes_to(system).values()} <= known


@settings(max_examples=150, deadline=None)
@given(WORLDS, EDITS)
def test_only_fields_that_differ_are_written(world: World, edits: list[tuple[System, str, FieldValue, int]]) -> None:
    for one in edits:
        world.edit(*one)
    plan, seen = world.plan(rules())

    for system in SYSTEMS:
        for name, target in plan.writes_to(system).items():
            assert not same(value_on(seen.on(system), name), target)


@settings(max_examples=100, deadline=None)
@given(WORLDS, EDITS, st.sampled_from(FIELDS))
def test_fields_do_not_influence_each_other(
    world: World, edits: list[tuple[System, str, FieldValue, int]], rule: FieldRule
) -> None:
    world.sync(rules())
    for one in edits:
        world.edit(*one)
    seen = world.observe(history=True)
    together = decide(world.link, seen, rules())
    alone = decide(world.link, seen, rules(fields=(rule,)))

    assert [field for field in together.fields if field.field == rule.name] == list(alone.fields)


@settings(max_examples=100, deadline=None)
@given(WORLDS, EDITS, BOUNDS, st.booleans(), st.booleans())
def test_swapping_sides_and_rules_swaps_the_plan(
    world: World, edits: list[tuple[System, str, FieldValue, int]], bound: int, pull: bool, push: bool
) -> None:
    for one in edits:
        world.edit(*one)
    using = rules(bound_ms=bound, pull=pull, push=push)
    seen = msgspec.structs.replace(world.observe(False), falcana=_bare(world.observe(False).falcana))
    plan = decide(world.link, seen, using)
    mirrored = decide(_mirror_link(world.link), Seen(hubspot=seen.falcana, falcana=seen.hubspot), _mirror_rules(using))

    for field, other in zip(plan.fields, mirrored.fields, strict=True):
        assert (field.rule, field.target, field.withheld) == (other.rule, other.target, other.withheld)
        assert {system.other for system in field.writes} == set(other.writes)


def _bare(side: SideSeen) -> SideSeen:
    return msgspec.structs.replace(side, field_times={})


def _mirror_link(one: Link) -> Link:
    fields = {
        name: FieldState(
            hubspot=state.falcana,
            falcana=state.hubspot,
            agreed=state.agreed and msgspec.structs.replace(state.agreed, origin=state.agreed.origin.other),
        )
        for name, state in one.fields.items()
    }
    return msgspec.structs.replace(one, fields=fields)


def _mirror_rules(using: Rules) -> Rules:
    fields = tuple(
        msgspec.structs.replace(
            rule,
            flows_to=tuple(system.other for system in rule.flows_to),
            required_on=tuple(system.other for system in rule.required_on),
        )
        for rule in using.fields
    )
    return msgspec.structs.replace(
        using, fields=fields, pull=using.push, push=using.pull, tie_goes_to=using.tie_goes_to.other
    )


@settings(max_examples=150, deadline=None)
@given(WORLDS, EDITS, st.sampled_from([(), (System.FALCANA,), (System.HUBSPOT,)]))
def test_a_crash_between_announcing_and_settling_heals(
    world: World, edits: list[tuple[System, str, FieldValue, int]], reached: tuple[System, ...]
) -> None:
    world.sync(rules())
    for one in edits:
        world.edit(*one)
    plan = world.sync(rules(), only=reached)
    world.sync(rules())

    targets = {field.field: field.target.canon for field in travelling(plan)}
    for name, target in targets.items():
        assert {world.values[system].get(name, EMPTY).canon for system in SYSTEMS} == {target}


@settings(max_examples=100, deadline=None)
@given(WORLDS, BOUNDS)
def test_our_own_write_before_a_crash_is_never_taken_for_an_edit(world: World, bound: int) -> None:
    using = rules(bound_ms=bound)
    world.sync(using)
    world.sync(using)
    world.edit(System.FALCANA, "city", value("Steyr"), 1)
    world.sync(using, only=(System.HUBSPOT,))
    world.edit(System.FALCANA, "city", value("Wels"), 1)
    plan = world.sync(using)

    assert world.state()[System.HUBSPOT]["city"] == "Wels"
    assert [field.loser for field in plan.fields] == [None] * len(plan.fields)


@settings(max_examples=200, deadline=None)
@given(WORLDS, VALUES, VALUES, st.integers(0, 9000), st.integers(1, 9000), BOUNDS)
def test_an_edit_buried_by_our_own_write_is_decided_again_by_the_clock(
    world: World, here: FieldValue, there: FieldValue, before_ms: int, between_ms: int, bound: int
) -> None:
    using = rules(bound_ms=bound)
    world.sync(using)
    world.sync(using)
    start = world.values[System.HUBSPOT].get("city", EMPTY)
    world.edit(System.FALCANA, "city", here, before_ms + 1)
    falcana_ms = world.clock
    world.sync(using, faster=lambda: world.edit(System.HUBSPOT, "city", there, between_ms))
    hubspot_ms = falcana_ms + between_ms
    world.sync(using)
    world.sync(using)

    changed_here, changed_there = not same(start, here), start != there and not same(start, there)
    if changed_here and changed_there:
        expected = there if hubspot_ms - falcana_ms > bound else here
        assert world.state()[System.HUBSPOT].get("city", "") == expected.canon
    assert world.state()[System.HUBSPOT].get("city", "") == world.state()[System.FALCANA].get("city", "")


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_the_order_and_number_of_hints_do_not_matter(order: list[int], doubled: list[int]) -> None:
    hints = [
        Hint(
            connection_id=1,
            object_type=ObjectType.CONTACT,
            system=System.HUBSPOT,
            record_id=str(number % 2),
            happening=(Happening.CHANGED, Happening.CREATED, Happening.DELETED)[number % 3],
            fields=(f"f{number}",),
            occurred_ms=number,
            own=bool(number % 4),
        )
        for number in range(6)
    ]
    straight = {hint.record_id: _normal(hint) for hint in coalesce(hints)}
    mixed = {
        hint.record_id: _normal(hint) for hint in coalesce(hints[place] for place in itertools.chain(order, doubled))
    }

    assert straight == mixed


def _normal(hint: Hint) -> Hint:
    return msgspec.structs.replace(hint, fields=tuple(sorted(hint.fields)))


@settings(max_examples=100, deadline=None)
@given(WORLDS)
def test_on_first_contact_an_empty_value_never_erases(world: World) -> None:
    before = {name: {world.values[system][name].canon for system in SYSTEMS} - {""} for name in NAMES}
    world.sync(rules())

    for name, known in before.items():
        if known:
            assert all(world.values[system][name].canon in known for system in SYSTEMS)


@settings(max_examples=100, deadline=None)
@given(WORLDS, st.sampled_from(SYSTEMS))
def test_after_the_first_agreement_an_emptied_field_clears_the_other_side(world: World, system: System) -> None:
    world.sync(rules())
    world.sync(rules())
    world.edit(system, "city", EMPTY, 10_000)
    world.sync(rules())

    assert world.state()[System.HUBSPOT]["city"] == world.state()[System.FALCANA]["city"] == ""


def test_the_small_world_can_tell_right_from_wrong() -> None:
    """A merge that always takes HubSpot's value would pass every law of agreement; this world notices it."""
    world = World({"city": value("Wien")}, {"city": value("Wien")}, (1, 1))
    world.sync(rules())
    world.edit(System.FALCANA, "city", value("Graz"), 5000)
    world.sync(rules())

    assert world.state()[System.HUBSPOT]["city"] == "Graz"
