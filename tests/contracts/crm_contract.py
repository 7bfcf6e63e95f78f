"""What either CRM promises behind the port. HubSpot and falcana pass the same suite, over HTTP, each with its sandbox.

Somebody works in the system while the client is used; the tests judge what that person sees, and what the client saw.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod

import pytest

from schemas.records import EMPTY, ObjectType
from schemas.seen import Presence, SideSeen
from services.clock import SystemClock
from services.crm import Changed, CrmError, Denied, Gone, Rejected, Unavailable, Unclear, Write, Written
from tests.contracts.crm_sides import (
    COMPANY,
    CONTACT,
    MISSING_ID,
    Side,
    attempt,
    change,
    changes_since,
    everything,
    new,
    refused_segment,
    values,
)


class CrmContract:
    """The suite."""

    @pytest.fixture
    @abstractmethod
    async def side(self) -> Side:
        """A fresh system."""

    async def test_a_read_answers_for_every_asked_id(self, side: Side) -> None:
        ids = [await side.make(COMPANY, {"name": f"Firma {number}"}) for number in range(3)]

        seen = await side.crm.read(COMPANY, [*ids, MISSING_ID, ids[0]])

        assert seen.keys() == {*ids, MISSING_ID}
        assert [seen[one].values["name"].text for one in ids] == ["Firma 0", "Firma 1", "Firma 2"]
        assert all(seen[one].present and seen[one].record_id == one and seen[one].modified_ms for one in ids)
        assert not seen[MISSING_ID].present

    async def test_reading_nothing_calls_nobody(self, side: Side) -> None:
        before = await side.calls()

        assert await side.crm.read(COMPANY, []) == {}
        assert await side.calls() == before

    async def test_more_records_than_one_call_can_read_are_read(self, side: Side) -> None:
        ids = [await side.make(COMPANY, {"name": f"Firma {number}"}) for number in range(120)]

        seen = await side.crm.read(COMPANY, ids, history=True)

        assert all(seen[one].present for one in ids)

    async def test_a_failed_read_is_never_an_absence(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Firma"})
        await side.fail("read", 503, times=20)

        with pytest.raises(Unavailable):
            await side.crm.read(COMPANY, [record_id])

    async def test_one_bad_moment_is_read_over(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Firma"})
        await side.fail("read", 502)

        assert (await side.crm.read(COMPANY, [record_id]))[record_id].present

    async def test_missing_rights_are_told_apart_from_bad_moments(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Firma"})
        await side.fail("read", 403, times=20)

        with pytest.raises(Denied):
            await side.crm.read(COMPANY, [record_id])

    async def test_a_deleted_record_is_seen_as_gone(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Firma"})
        await side.delete(COMPANY, record_id)

        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

        assert seen.presence in (Presence.ARCHIVED, Presence.DELETED)

    @pytest.mark.parametrize("object_type", list(ObjectType))
    async def test_a_merged_record_leads_to_its_survivor(self, side: Side, object_type: ObjectType) -> None:
        name = "name" if object_type is COMPANY else "last_name"
        parent = await side.make(COMPANY, {"name": "Firma"}) if object_type is CONTACT else ""
        winner, loser = [await side.make(object_type, {name: text}, parent) for text in ("Huber", "Hueber")]
        survivor = await side.merge(object_type, winner, loser)

        seen = await side.crm.read(object_type, [loser, survivor])

        assert seen[loser].presence is Presence.MERGED
        assert seen[loser].survivor_id == survivor
        assert seen[survivor].present

    async def test_a_person_belongs_to_a_company(self, side: Side) -> None:
        company = await side.make(COMPANY, {"name": "Firma"})
        person = await side.make(CONTACT, {"last_name": "Muster"}, company)

        assert (await side.crm.read(CONTACT, [person]))[person].parent_id == company

    async def test_records_are_created_and_say_what_was_made_of_them(self, side: Side) -> None:
        results = await side.crm.create(
            COMPANY, [new(1, "7001", name="Huber GmbH", city="Wien"), new(2, "7002", name="B")]
        )

        assert [type(one) for one in results] == [Written, Written]
        first = results[0]
        assert isinstance(first, Written)
        assert first.created
        assert first.ref == 1
        assert first.seen.values == values(name="Huber GmbH", city="Wien")
        shown = await side.show(COMPANY, first.seen.record_id)
        assert (shown["name"], shown["city"], shown["marker"]) == ("Huber GmbH", "Wien", "7001")

    async def test_a_repeated_create_makes_no_second_record(self, side: Side) -> None:
        first = await side.crm.create(COMPANY, [new(1, "7001", name="Huber GmbH")])
        again = await side.crm.create(COMPANY, [new(1, "7001", name="Huber GmbH")])

        assert isinstance(first[0], Written)
        assert isinstance(again[0], Written)
        assert first[0].seen.record_id == again[0].seen.record_id
        assert len(await side.ids(COMPANY)) == 1

    async def test_a_person_is_created_under_a_company(self, side: Side) -> None:
        company = await side.make(COMPANY, {"name": "Firma"})

        result = (await side.crm.create(CONTACT, [new(1, "7001", company, last_name="Muster")]))[0]

        assert isinstance(result, Written)
        assert result.parent_written
        assert (await side.show(CONTACT, result.seen.record_id))["parent"] == company

    async def test_a_person_without_a_company_is_created_and_read_back_without_one(self, side: Side) -> None:
        result = (await side.crm.create(CONTACT, [new(1, "7001", "", first_name="Eva", last_name="Muster")]))[0]

        assert isinstance(result, Written)
        assert result.parent_written
        seen = (await side.crm.read(CONTACT, [result.seen.record_id]))[result.seen.record_id]
        assert (seen.parent_id, seen.marker, seen.values["last_name"].text) == ("", "7001", "Muster")

    async def test_an_update_touches_only_the_given_fields(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien", "street": "Ring 1"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

        result = (await side.crm.update(COMPANY, [change(1, seen, city="Graz")]))[0]

        assert isinstance(result, Written)
        assert result.seen.values == values(city="Graz")
        assert result.seen.modified_ms >= seen.modified_ms
        shown = await side.show(COMPANY, record_id)
        assert (shown["name"], shown["city"], shown["street"]) == ("Huber", "Graz", "Ring 1")

    async def test_an_empty_value_clears_a_field(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

        result = (await side.crm.update(COMPANY, [change(1, seen, city="")]))[0]

        assert isinstance(result, Written)
        assert result.seen.values == {"city": EMPTY}
        assert "city" not in await side.show(COMPANY, record_id)

    async def test_a_marker_is_stored_on_an_existing_record(self, side: Side) -> None:
        record_id = await side.make(CONTACT, {"last_name": "M"}, await side.make(COMPANY, {"name": "Firma"}))
        seen = (await side.crm.read(CONTACT, [record_id]))[record_id]

        write = Write(ref=1, record_id=record_id, version=seen.version, marker="7001")
        await side.crm.update(CONTACT, [write])

        assert (await side.crm.read(CONTACT, [record_id]))[record_id].marker == "7001"

    async def test_a_person_moves_to_another_company(self, side: Side) -> None:
        old, other = [await side.make(COMPANY, {"name": text}) for text in ("Alt", "Neu")]
        person = await side.make(CONTACT, {"last_name": "Muster"}, old)
        seen = (await side.crm.read(CONTACT, [person]))[person]

        write = Write(ref=1, record_id=person, version=seen.version, parent_id=other, former_parent_id=old)
        result = (await side.crm.update(CONTACT, [write]))[0]

        assert isinstance(result, Written)
        assert result.parent_written
        assert (await side.crm.read(CONTACT, [person]))[person].parent_id == other

    async def test_one_bad_relation_spoils_no_other(self, side: Side) -> None:
        good = await side.make(COMPANY, {"name": "Firma"})
        people = [await side.make(CONTACT, {"last_name": f"M{number}"}, good) for number in range(2)]
        other = await side.make(COMPANY, {"name": "Neu"})
        seen = await side.crm.read(CONTACT, people)
        targets = [MISSING_ID, other]

        writes = [
            Write(ref=ref, record_id=one, version=seen[one].version, parent_id=target)
            for ref, (one, target) in enumerate(zip(people, targets, strict=True))
        ]
        bad, fine = await side.crm.update(CONTACT, writes)

        assert not (isinstance(bad, Written) and bad.parent_written)
        assert isinstance(fine, Written)
        assert fine.parent_written
        assert (await side.show(CONTACT, people[1]))["parent"] == other

    async def test_a_refused_field_holds_only_itself(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
        bad = Write(ref=1, record_id=record_id, version=seen.version, values=refused_segment() | values(city="Graz"))

        result = (await side.crm.update(COMPANY, [bad]))[0]

        assert isinstance(result, Written)
        assert set(result.refused) == {"segment"}
        assert set(result.seen.values) == {"city"}
        assert (await side.show(COMPANY, record_id))["city"] == "Graz"

    async def test_a_bad_record_spoils_no_other(self, side: Side) -> None:
        bad = Write(ref=1, values=refused_segment(), marker="7001", idempotency_key="k1")

        results = await side.crm.create(COMPANY, [bad, new(2, "7002", name="Gut")])

        assert isinstance(results[1], Written)
        assert results[1].ref == 2
        assert isinstance(results[0], Written | Rejected)
        assert results[0].ref == 1

    async def test_an_update_of_a_missing_record_is_never_a_success(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
        await side.delete(COMPANY, record_id)

        assert await side.crm.update(COMPANY, [change(1, seen, city="Graz")]) == [Gone(ref=1)]

    async def test_an_update_of_a_merged_record_is_never_a_success(self, side: Side) -> None:
        winner, loser = [await side.make(COMPANY, {"name": text}) for text in ("Huber", "Hueber")]
        seen = (await side.crm.read(COMPANY, [loser]))[loser]
        await side.merge(COMPANY, winner, loser)

        assert await side.crm.update(COMPANY, [change(1, seen, city="Graz")]) == [Gone(ref=1)]

    async def test_more_records_than_one_call_can_write_are_written(self, side: Side) -> None:
        results = await side.crm.create(COMPANY, [new(number, str(7000 + number), name="F") for number in range(230)])

        assert [one.ref for one in results] == list(range(230))
        assert all(isinstance(one, Written) for one in results)
        assert len(await side.ids(COMPANY)) == 230

    async def test_a_write_whose_answer_is_lost_is_never_repeated_and_never_called_written(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
        await side.lose_answer()

        outcome = await attempt(side.crm, [change(1, seen, city="Graz")])

        assert isinstance(outcome, Unclear | Unavailable)
        assert await side.writes() == 1

    async def test_a_write_that_fails_on_the_way_is_never_called_written(self, side: Side) -> None:
        record_id = await side.make(COMPANY, {"name": "Huber"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
        await side.fail("write", 500, times=20)

        assert isinstance(await attempt(side.crm, [change(1, seen, city="Graz")]), Unclear | Unavailable)

    async def test_a_create_is_found_again_after_its_answer_was_lost(self, side: Side) -> None:
        await side.lose_answer()
        with contextlib.suppress(CrmError):
            await side.crm.create(COMPANY, [new(1, "7001", name="Huber")])

        found = await side.crm.find(COMPANY, {1: {"marker": "7001"}})

        assert [one.marker for one in found[1]] == ["7001"]

    async def test_records_are_found_by_what_they_are_known_by(self, side: Side) -> None:
        firm = await side.make(
            COMPANY, {"name": "Huber", "website": "https://www.huber.example/", "vat_id": "ATU13585627"}
        )
        person = await side.make(CONTACT, {"last_name": "M", "email": "m+x@huber.example"}, firm)
        await side.make(COMPANY, {"name": "Andere", "website": "https://andere.example"})

        firms = await side.crm.find(
            COMPANY, {1: {"vat_id": "ATU13585627"}, 2: {"domain": "huber.example"}, 3: {"domain": "keine.example"}}
        )
        people = await side.crm.find(CONTACT, {1: {"email": "m+x@huber.example"}, 2: {"email": "x@huber.example"}})

        assert {ref: [one.record_id for one in found] for ref, found in firms.items()} == {1: [firm], 2: [firm], 3: []}
        assert {ref: [one.record_id for one in found] for ref, found in people.items()} == {1: [person], 2: []}

    async def test_many_long_keys_are_looked_for_at_once(self, side: Side) -> None:
        domains = [f"{'lang' * 12}-{number}.example" for number in range(100)]
        firm = await side.make(COMPANY, {"name": "Huber", "website": f"https://{domains[77]}"})

        found = await side.crm.find(COMPANY, {ref: {"domain": domain} for ref, domain in enumerate(domains)})

        assert {ref: [one.record_id for one in seen] for ref, seen in found.items() if seen} == {77: [firm]}

    async def test_the_listing_of_everything_names_every_record_once(self, side: Side) -> None:
        ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(205)]

        listed = [one.record_id for one in await everything(side.crm, COMPANY)]

        assert sorted(listed) == sorted(ids)

    async def test_changes_after_a_position_are_listed(self, side: Side) -> None:
        old = await side.make(COMPANY, {"name": "Alt"})
        position = await side.crm.present_position(COMPANY, SystemClock().now_ms())
        await side.edit(COMPANY, old, {"city": "Wien"})
        made = await side.make(COMPANY, {"name": "Neu"})
        await side.make(CONTACT, {"last_name": "Muster"}, made)

        found, position = await changes_since(side.crm, COMPANY, position)

        assert {one.record_id for one in found} == {old, made}
        seen = await side.crm.read(COMPANY, [old, made])
        newest = {one.record_id: one for one in found}
        assert all(known(newest[one], seen[one]) for one in (old, made))

    async def test_a_position_can_be_stored_and_never_skips(self, side: Side) -> None:
        position = await side.crm.present_position(COMPANY, SystemClock().now_ms())
        everyone: list[str] = []
        heard: set[str] = set()
        for number in range(5):
            everyone.append(await side.make(COMPANY, {"name": f"F{number}"}))
            found, later = await changes_since(side.crm, COMPANY, position)
            heard |= {one.record_id for one in found}
            position = side.crm.furthest(position, later)

        assert heard == set(everyone)

    async def test_no_position_is_the_present_one(self, side: Side) -> None:
        await side.make(COMPANY, {"name": "Alt"})
        page = await side.crm.changes(COMPANY, "", SystemClock().now_ms())
        made = await side.make(COMPANY, {"name": "Neu"})

        found, _ = await changes_since(side.crm, COMPANY, page.position)

        assert page.position
        assert not page.more
        assert made in {one.record_id for one in found}

    async def test_going_back_repeats_and_the_furthest_position_wins(self, side: Side) -> None:
        start = await side.crm.present_position(COMPANY, SystemClock().now_ms())
        made = await side.make(COMPANY, {"name": "Neu"})
        _, position = await changes_since(side.crm, COMPANY, start)

        again, _ = await changes_since(side.crm, COMPANY, side.crm.rewound(position, 600))

        assert made in {one.record_id for one in again}
        assert side.crm.furthest(side.crm.rewound(position, 600), position) == position


def known(change: Changed, seen: SideSeen) -> bool:
    """Whether a listed change can be told from what was read: by falcana's version, by HubSpot's date."""
    return change.version == seen.version if seen.version else change.modified_ms == seen.modified_ms
