"""The delete brake's numbers, and which record belongs to which."""

from __future__ import annotations

import pytest

from schemas.connections import Connection
from schemas.records import ObjectType
from schemas.seen import Presence, SideSeen
from sync_worker.merge.brake import brake_trips
from sync_worker.merge.match import Verdict, match

CONNECTION = Connection(id=1)


@pytest.mark.parametrize(
    ("due", "executed", "links", "trips"),
    [
        (50, 0, 1000, False),
        (51, 0, 1000, True),
        (10, 0, 100, False),
        (11, 0, 100, True),
        (10, 40, 1000, False),
        (10, 50, 1000, True),
        (1, 0, 3, False),
        (5, 0, 20, False),
        (6, 0, 20, True),
    ],
)
def test_the_brake_trips_at_its_numbers(due: int, executed: int, links: int, trips: bool) -> None:
    assert brake_trips(due, executed, links, CONNECTION) is trips


def record(record_id: str, marker: str = "", **keys: str) -> SideSeen:
    """A record that can be recognised by these keys."""
    return SideSeen(presence=Presence.PRESENT, record_id=record_id, marker=marker, keys=keys)


def found(
    own: SideSeen, *candidates: SideSeen, taken: set[str] | None = None, person: bool = False
) -> tuple[Verdict, str]:
    """The verdict and the record it names."""
    kind = ObjectType.CONTACT if person else ObjectType.COMPANY
    verdict = match(kind, own, candidates, taken or set())
    return verdict.verdict, verdict.record_id


def test_a_stored_id_is_proof_enough() -> None:
    assert found(record("1"), record("7", marker="1"), record("8", vat_id="x")) == (Verdict.ADOPT, "7")


def test_a_unique_valid_uid_is_adopted() -> None:
    assert found(record("1", vat_id="ATU1"), record("7", vat_id="ATU1")) == (Verdict.ADOPT, "7")


def test_two_companies_with_one_uid_are_a_question() -> None:
    assert (
        found(record("1", vat_id="ATU1"), record("7", vat_id="ATU1"), record("8", vat_id="ATU1"))[0]
        is Verdict.AMBIGUOUS
    )


def test_a_domain_needs_the_name_beside_it() -> None:
    own = record("1", domain="x.example.com", name="huber|kg")
    assert found(own, record("7", domain="x.example.com", name="huber|kg")) == (Verdict.ADOPT, "7")
    assert found(own, record("7", domain="x.example.com", name="huber|gmbh"))[0] is Verdict.NONE
    assert found(own, record("7", domain="y.example.com", name="huber|kg"))[0] is Verdict.NONE


def test_a_company_linked_elsewhere_is_not_taken_away() -> None:
    own = record("1", vat_id="ATU1")
    assert found(own, record("7", vat_id="ATU1"), taken={"7"})[0] is Verdict.NONE


def test_a_person_is_recognised_by_the_e_mail() -> None:
    own = record("1", email="a@example.com")
    assert found(own, record("7", email="a@example.com"), person=True) == (Verdict.ADOPT, "7")
    assert found(own, record("7", email="b@example.com"), person=True)[0] is Verdict.NONE


def test_a_person_whose_e_mail_is_linked_elsewhere_is_a_duplicate() -> None:
    assert found(record("1", email="a@example.com"), record("7", email="a@example.com"), taken={"7"}, person=True) == (
        Verdict.TAKEN,
        "7",
    )


def test_a_shared_mailbox_is_a_question_unless_the_name_answers_it() -> None:
    office = [record(str(n), email="office@example.com", name=name) for n, name in ((7, "eva fritz"), (8, "max mair"))]
    assert found(record("1", email="office@example.com"), *office, person=True)[0] is Verdict.AMBIGUOUS
    own = record("1", email="office@example.com", name="max mair")
    assert found(own, *office, person=True) == (Verdict.ADOPT, "8")
