"""Who wins a field, row by row: provenance before dates, the skew bound, one-way fields, and the record scope."""

from __future__ import annotations

import msgspec
import pytest

from schemas.connections import MergeScope
from schemas.links import SideState
from schemas.plans import Action, FieldPlan
from schemas.records import System
from schemas.seen import SideSeen
from sync_worker.merge.decide import decide
from tests.builders import CITY, NUMBER, agreed, edit, link, rules, seen, side, value

HUBSPOT, FALCANA = System.HUBSPOT, System.FALCANA
BOUND_MS = 2000


def city(hubspot: SideSeen, falcana: SideSeen, origin: System = FALCANA, time_ms: int = 0) -> FieldPlan:
    """What happens to a city that both sides agreed to be Wien."""
    plan = decide(link(city=agreed("Wien", time_ms, origin)), seen(hubspot, falcana), rules(fields=(CITY,)))
    (field,) = plan.fields
    return field


@pytest.mark.parametrize("origin", [HUBSPOT, FALCANA])
@pytest.mark.parametrize("edited", [HUBSPOT, FALCANA])
def test_an_edit_on_one_side_flows_whatever_the_dates_say(origin: System, edited: System) -> None:
    new, old = side(city="Graz", edited_ms=1), side(city="Wien", edited_ms=999_999)
    field = city(*((new, old) if edited is HUBSPOT else (old, new)), origin=origin, time_ms=500_000)

    assert (field.target, field.writes, field.loser) == (value("Graz"), (edited.other,), None)


@pytest.mark.parametrize(
    ("hubspot_ms", "falcana_ms", "winner"),
    [
        (10_000, 5_000, HUBSPOT),
        (5_000, 10_000, FALCANA),
        (5_000, 5_000, FALCANA),
        (7_000, 5_000, FALCANA),
        (7_001, 5_000, HUBSPOT),
        (5_000, 7_000, FALCANA),
    ],
)
def test_two_edits_of_one_field_the_later_wins_and_ties_leave_falcana(
    hubspot_ms: int, falcana_ms: int, winner: System
) -> None:
    field = city(side(city="Graz", edited_ms=hubspot_ms), side(city="Linz", edited_ms=falcana_ms))

    assert field.winner is winner
    assert field.loser is not None
    assert (field.loser.system, field.loser.value) == (winner.other, value("Linz" if winner is HUBSPOT else "Graz"))


def test_the_same_edit_on_both_sides_is_no_conflict_and_no_write() -> None:
    field = city(side(city="Graz", edited_ms=9), side(city="Graz", edited_ms=1))
    assert (field.writes, field.loser, field.agreed.value) == ((), None, value("Graz"))


def test_half_applied_work_is_driven_to_the_agreed_value() -> None:
    half = msgspec.structs.replace(
        agreed("Graz"),
        hubspot=SideState(shadow=value("Wien"), intents=(value("Graz"),)),
        falcana=SideState(shadow=value("Graz")),
    )
    observed = seen(msgspec.structs.replace(side(city="Wien"), history={}), side(city="Graz"))
    (field,) = decide(link(city=half), observed, rules(fields=(CITY,))).fields

    assert (field.target, field.writes) == (value("Graz"), (HUBSPOT,))


def test_a_field_time_counts_more_than_the_date_of_the_record() -> None:
    hubspot = msgspec.structs.replace(
        side(city="Graz", edited_ms=90_000), history={"city": (edit("Graz", 10_000), edit("Wien", 0))}
    )
    field = city(hubspot, side(city="Linz", edited_ms=50_000))

    assert field.winner is FALCANA, "the city itself was changed earlier than falcana's"


def test_the_owner_of_a_one_way_field_decides_and_a_stray_edit_is_kept() -> None:
    observed = seen(side(number="999", edited_ms=90_000), side(number="500", edited_ms=1))
    (field,) = decide(link(number=agreed("500")), observed, rules(fields=(NUMBER,))).fields

    assert (field.target, field.writes) == (value("500"), (HUBSPOT,))
    assert field.loser is not None


@pytest.mark.parametrize(("hubspot_ms", "expected"), [(90_000, ["Graz", "Alt"]), (1_000, ["Wien", "Neu"])])
def test_under_the_record_scope_the_later_record_takes_all_its_fields(hubspot_ms: int, expected: list[str]) -> None:
    using = msgspec.structs.replace(rules(), merge_scope=MergeScope.RECORD)
    known = link(name=agreed("Alt"), city=agreed("Wien"), phone=agreed(""))
    observed = seen(
        side(name="Alt", city="Graz", edited_ms=hubspot_ms), side(name="Neu", city="Wien", edited_ms=50_000, version=2)
    )
    plan = decide(known, observed, using)

    assert [field.target.text for field in plan.fields if field.field in ("city", "name")][::-1] == expected


def test_under_the_record_scope_a_record_that_was_not_edited_is_no_change() -> None:
    using = msgspec.structs.replace(rules(), merge_scope=MergeScope.RECORD)
    known = link(name=agreed("Alt"), city=agreed("Wien"), phone=agreed(""))
    observed = seen(side(name="Alt", city="Wien", edited_ms=99_000), side(name="Neu", city="Wien", edited_ms=1))

    assert {field.target.text for field in decide(known, observed, using).fields} == {"Neu", "Wien", ""}


@pytest.mark.parametrize(
    ("hubspot", "falcana", "hubspot_ms", "target", "writes"),
    [
        ("Graz", "Linz", 90_000, "Graz", (FALCANA,)),
        ("Graz", "Linz", 50_000, "Linz", (HUBSPOT,)),
        ("Graz", "Linz", 51_000, "Linz", (HUBSPOT,)),
        ("", "Linz", 90_000, "Linz", (HUBSPOT,)),
        ("Graz", "", 1, "Graz", (FALCANA,)),
        ("Graz", "Graz", 1, "Graz", ()),
        ("", "", 1, "", ()),
    ],
)
def test_on_first_contact_the_later_record_wins_and_a_blank_takes_the_other_value(
    hubspot: str, falcana: str, hubspot_ms: int, target: str, writes: tuple[System, ...]
) -> None:
    observed = seen(side(city=hubspot, edited_ms=hubspot_ms), side(city=falcana, edited_ms=50_000))
    (field,) = decide(link(), observed, rules(fields=(CITY,))).fields

    assert (field.target, field.writes) == (value(target), writes)


@pytest.mark.parametrize(
    ("pull", "push", "edited", "withheld"),
    [
        (True, True, HUBSPOT, ""),
        (False, True, HUBSPOT, "direction_off"),
        (True, False, HUBSPOT, ""),
        (False, False, HUBSPOT, "direction_off"),
        (True, True, FALCANA, ""),
        (False, True, FALCANA, ""),
        (True, False, FALCANA, "direction_off"),
        (False, False, FALCANA, "direction_off"),
    ],
)
def test_a_value_travels_only_where_its_direction_is_on(pull: bool, push: bool, edited: System, withheld: str) -> None:
    new, old = side(city="Graz"), side(city="Wien")
    observed = seen(*((new, old) if edited is HUBSPOT else (old, new)))
    using = rules(fields=(CITY,), pull=pull, push=push)
    (field,) = decide(link(city=agreed("Wien")), observed, using).fields

    assert field.withheld == withheld


def test_with_the_pull_off_a_later_edit_in_hubspot_is_not_overwritten_by_a_push() -> None:
    observed = seen(side(city="Graz", edited_ms=90_000), side(city="Linz", edited_ms=1))
    plan = decide(link(city=agreed("Wien")), observed, rules(fields=(CITY,), pull=False))

    assert plan.writes_to(HUBSPOT) == plan.writes_to(FALCANA) == {}
    assert plan.fields[0].withheld == "direction_off"


def test_a_possible_conflict_asks_for_history_first() -> None:
    known = msgspec.structs.replace(link(city=agreed("Wien")), hubspot_modified_ms=5, falcana_version=1)
    both_moved = seen(side(city="Graz", edited_ms=9), side(city="Linz", version=2))
    assert decide(known, both_moved, rules(fields=(CITY,))).action is Action.READ_HISTORY

    named = {"city": 99}
    hidden = seen(side(city="Wien", edited_ms=5), side(city="Wien", version=1))
    assert decide(known, hidden, rules(fields=(CITY,)), named).action is Action.READ_HISTORY
