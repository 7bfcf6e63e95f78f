"""HubSpot's client keeps the port's promises, and HubSpot's own peculiarities do it no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from schemas.records import FieldValue
from schemas.seen import Presence
from services.clock import SystemClock
from services.crm import RateLimited, Refused, Taken, Unclear, Write, Written
from services.hubspot.setup import set_up
from tests.contracts.crm_contract import CrmContract
from tests.contracts.crm_sides import COMPANY, CONTACT, HubspotSide, change, changes_since, hubspot_side, new, values


@pytest.fixture
async def side() -> AsyncIterator[HubspotSide]:
    async with hubspot_side() as made:
        yield made


class TestHubspotSandbox(CrmContract):
    @pytest.fixture
    async def side(self) -> AsyncIterator[HubspotSide]:
        async with hubspot_side() as made:
            yield made


async def test_a_record_in_the_recycle_bin_is_archived_and_one_that_never_was_is_deleted(side: HubspotSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})
    await side.delete(COMPANY, record_id)

    seen = await side.crm.read(COMPANY, [record_id, "1"])

    assert seen[record_id].presence is Presence.ARCHIVED
    assert seen["1"].presence is Presence.DELETED


async def test_a_survivor_names_the_records_it_absorbed(side: HubspotSide) -> None:
    winner, loser = [await side.make(COMPANY, {"name": text}) for text in ("Huber", "Hueber")]
    survivor = await side.merge(COMPANY, winner, loser)

    seen = await side.crm.read(COMPANY, [winner, loser, survivor])

    assert seen[winner].survivor_id == seen[loser].survivor_id == survivor
    assert set(seen[survivor].absorbed_ids) == {winner, loser}


async def test_a_history_tells_our_writes_from_those_of_a_person(side: HubspotSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien"})
    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
    await side.crm.update(COMPANY, [change(1, seen, city="Graz")])

    history = (await side.crm.read(COMPANY, [record_id], history=True))[record_id].history

    assert history is not None
    assert [(edit.value.text, edit.own) for edit in history["city"]] == [("Graz", True), ("Wien", False)]


async def test_an_email_that_somebody_has_names_its_holder(side: HubspotSide) -> None:
    holder = await side.make(CONTACT, {"email": "max@example.com"})
    other = await side.make(CONTACT, {"email": "eva@example.com"})
    write = Write(ref=1, record_id=other, values=values(email="max@example.com"))

    created = await side.crm.create(CONTACT, [new(2, "7001", email="max@example.com", last_name="M")])
    updated = await side.crm.update(CONTACT, [write])

    assert created == [Taken(ref=2, field="email", holder_id=holder)]
    assert updated == [Taken(ref=1, field="email", holder_id=holder)]


async def test_an_invalid_email_holds_only_itself(side: HubspotSide) -> None:
    result = (await side.crm.create(CONTACT, [new(1, "7001", email="max@@x", last_name="Muster")]))[0]

    assert isinstance(result, Written)
    assert result.refused == {"email": "INVALID_EMAIL"}
    assert (await side.show(CONTACT, result.seen.record_id))["last_name"] == "Muster"


async def test_many_bad_records_are_written_once_more_without_what_was_bad(side: HubspotSide) -> None:
    writes = [new(number, str(7000 + number), email="max@@x", last_name="M") for number in range(130)]

    results = await side.crm.create(CONTACT, writes)

    assert all(isinstance(one, Written) and set(one.refused) == {"email"} for one in results)


async def test_a_country_is_written_in_english_and_read_back_the_same(side: HubspotSide) -> None:
    result = (await side.crm.create(COMPANY, [new(1, "7001", name="Huber", country="Österreich")]))[0]

    assert isinstance(result, Written)
    assert (await side.show(COMPANY, result.seen.record_id))["country"] == "Austria"
    assert result.seen.values["country"].canon == "AT"


async def test_a_phone_number_written_without_its_country_is_the_number_that_is_read(side: HubspotSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber", "country": "Germany"})
    phone = {"phone": FieldValue("030 123456", "+4930123456")}

    written = (await side.crm.update(COMPANY, [Write(ref=1, record_id=record_id, values=phone)]))[0]
    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

    assert isinstance(written, Written)
    assert written.seen.values["phone"] == seen.values["phone"]


async def test_the_primary_company_comes_from_the_relation_itself(side: HubspotSide) -> None:
    company = await side.make(COMPANY, {"name": "Huber"})
    placed, alone = await side.make(CONTACT, {"last_name": "A"}, company), await side.make(CONTACT, {"last_name": "B"})

    assert await side.crm.primary_companies([placed, alone]) == {placed: company, alone: ""}


async def test_a_person_leaves_a_company(side: HubspotSide) -> None:
    company = await side.make(COMPANY, {"name": "Huber"})
    person = await side.make(CONTACT, {"last_name": "Muster"}, company)

    result = (await side.crm.update(CONTACT, [Write(ref=1, record_id=person, parent_id="", former_parent_id=company)]))[
        0
    ]

    assert isinstance(result, Written)
    assert result.parent_written
    assert (await side.show(CONTACT, person))["parent"] == ""


async def test_archiving_is_done_when_the_record_is_gone_also_the_second_time(side: HubspotSide) -> None:
    ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(3)]

    first = await side.crm.archive(COMPANY, ids)
    again = await side.crm.archive(COMPANY, ids)

    assert first == again == dict.fromkeys(ids, True)
    assert await side.ids(COMPANY) == []


async def test_a_change_of_many_records_in_one_millisecond_is_listed_whole(side: HubspotSide) -> None:
    moment = SystemClock().now_ms() - 60_000
    body = {"companies": [{"name": f"F{number}"} for number in range(450)], "modified_ms": moment}
    ids = (await side.control.ask("POST", "/import", body))["companies"]
    later = await side.make(COMPANY, {"name": "Danach"})

    found, position = await changes_since(side.crm, COMPANY, f'{{"since_ms":{moment - 5},"after_id":""}}')
    again, _ = await changes_since(side.crm, COMPANY, position)

    assert {one.record_id for one in found} == {*ids, later}
    assert len(again) <= 1


async def test_an_index_that_lags_is_caught_up_by_going_back(side: HubspotSide) -> None:
    start = await side.crm.present_position(COMPANY, SystemClock().now_ms())
    await side.control.ask("POST", "/search", {"lag_ms": 3_600_000})
    late = await side.make(COMPANY, {"name": "Spät"})
    missed, position = await changes_since(side.crm, COMPANY, start)
    await side.control.ask("POST", "/clock", {"offset_ms": 3_700_000})

    found, _ = await changes_since(side.crm, COMPANY, side.crm.rewound(position, 600))

    assert late not in {one.record_id for one in missed}
    assert late in {one.record_id for one in found}


async def test_a_limit_is_told_with_the_time_to_wait(side: HubspotSide) -> None:
    body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY"}
    fault = {"match": "batch/read", "do": "status", "status": 429, "body": body}
    await side.control.ask("POST", "/faults", fault)

    with pytest.raises(RateLimited) as limited:
        await side.crm.read(COMPANY, ["1"])

    assert limited.value.retry_after_s == 3600


async def test_setting_up_twice_changes_nothing(side: HubspotSide) -> None:
    lines = await set_up(side.transport)

    assert lines
    assert all(line.endswith("there already") for line in lines)


async def test_an_id_property_that_is_not_unique_is_reported_at_once() -> None:
    async with hubspot_side() as side:
        body = {"hasUniqueValue": False, "name": "falcana_id"}
        await side.control.ask(
            "POST", "/faults", {"match": "GET .*falcana_id", "do": "status", "status": 200, "body": body}
        )

        with pytest.raises(Refused):
            await set_up(side.transport)


async def test_a_record_that_changes_during_the_search_skips_no_other(side: HubspotSide) -> None:
    start = 1_700_000_000_000
    moments = [start + place for place in range(200)]
    moments[5] = start + 50_000
    rows = [
        {"id": str(place + 1), "properties": {"hs_lastmodifieddate": str(moment)}}
        for place, moment in enumerate(moments)
    ]
    await side.control.ask(
        "POST", "/faults", {"match": "/search", "do": "status", "status": 200, "body": {"results": rows}}
    )

    page = await side.crm.changes(COMPANY, f'{{"since_ms":{start},"after_id":""}}', start + 100_000)

    assert page.more
    assert side.crm.furthest(page.position, f'{{"since_ms":{start + 199},"after_id":""}}') == page.position
    assert side.crm.furthest(page.position, f'{{"since_ms":{start + 200},"after_id":""}}') != page.position


async def test_relations_refused_as_a_whole_are_tried_in_halves(side: HubspotSide) -> None:
    company = await side.make(COMPANY, {"name": "Huber"})
    people = [await side.make(CONTACT, {"last_name": f"M{number}"}) for number in range(4)]
    fault = {"match": "associations.*batch/create", "do": "status", "status": 400}
    await side.control.ask("POST", "/faults", fault)

    writes = [Write(ref=ref, record_id=one, parent_id=company) for ref, one in enumerate(people)]
    results = await side.crm.update(CONTACT, writes)

    assert all(isinstance(one, Written) and one.parent_written for one in results)
    assert [(await side.show(CONTACT, one))["parent"] for one in people] == [company] * 4


async def test_a_batch_refused_as_a_whole_is_tried_in_halves(side: HubspotSide) -> None:
    ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(5)]
    await side.control.ask("POST", "/faults", {"match": "batch/update", "do": "status", "status": 400})
    writes = [Write(ref=ref, record_id=one, values=values(city="Graz")) for ref, one in enumerate(ids)]

    assert all(isinstance(one, Written) for one in await side.crm.update(COMPANY, writes))


async def test_a_later_call_that_fails_leaves_what_was_written_known(side: HubspotSide) -> None:
    ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(150)]
    writes = [Write(ref=ref, record_id=one, values=values(city="Graz")) for ref, one in enumerate(ids)]
    await side.control.ask("POST", "/faults", {"match": "batch/update", "do": "delay"})
    await side.control.ask("POST", "/faults", {"match": "batch/update", "do": "status", "status": 500})

    results = await side.crm.update(COMPANY, writes)

    assert all(isinstance(one, Written) for one in results[:100])
    assert all(isinstance(one, Unclear) for one in results[100:])


async def test_a_record_that_could_not_be_archived_is_not_called_gone(side: HubspotSide) -> None:
    rows = [{"status": "error", "category": "VALIDATION_ERROR", "context": {"ids": ["2"]}}]
    fault = {"match": "batch/archive", "do": "status", "status": 207, "body": {"errors": rows}}
    await side.control.ask("POST", "/faults", fault)

    assert await side.crm.archive(COMPANY, ["1", "2"]) == {"1": True, "2": False}
