"""The two switches on every path, the poller, and the manual runs (R20-R24, R32-R38)."""

from __future__ import annotations

import pytest

from schemas.records import System
from services.store.leadership import Leadership
from services.store.runs import AlreadyRunning
from sync_worker.runs import start_run
from tests.journeys.stories import linked_company, linked_person
from tests.world import World


async def test_with_the_pull_off_an_edit_in_hubspot_waits_and_flows_once_it_is_on(world: World) -> None:
    company = await linked_company(world)
    await world.switch(pull=False, push=True)
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.falcana.edit("adressen", company[1], plz="1040")
    await world.settle()
    here, there = await world.falcana.show("adressen", company[1]), await world.company(company[0])
    assert (here["ort"], there["zip"], there["city"]) == ("", "1040", "Wien")

    await world.switch(pull=True, push=True)
    await world.poll()
    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Wien"


async def test_with_the_push_off_an_edit_in_falcana_waits_and_is_not_overwritten(world: World) -> None:
    company = await linked_company(world, city="Wien")
    await world.switch(pull=True, push=False)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()
    await world.hubspot.edit("companies", company[0], zip="1040")
    await world.settle()
    here, there = await world.falcana.show("adressen", company[1]), await world.company(company[0])
    assert (here["ort"], here["plz"], there["city"]) == ("Graz", "1040", "Wien")

    await world.switch(pull=True, push=True)
    await world.poll()
    assert (await world.company(company[0]))["city"] == "Graz"


async def test_what_was_seen_while_its_direction_was_off_flows_once_it_is_on(world: World) -> None:
    company = await linked_company(world, city="Wien")
    await world.poll()
    await world.switch(pull=False, push=False)
    await world.hubspot.edit("companies", company[0], zip="1040")
    await world.falcana.edit("adressen", company[1], strasse="Graben 1")
    await world.settle()
    await world.switch(pull=True, push=True)
    await world.poll()

    assert (await world.falcana.show("adressen", company[1]))["plz"] == "1040"
    assert (await world.company(company[0]))["address"] == "Graben 1"


async def test_with_both_off_nothing_is_written_until_somebody_presses_a_button(world: World) -> None:
    await world.switch(pull=False, push=False)
    await world.hubspot.create("companies", {"name": "Nur Hubspot GmbH"})
    await world.falcana.create("adressen", {"name1": "Nur falcana GmbH"})
    await world.poll()
    assert (await world.hubspot.writes(), await world.falcana.writes()) == ([], [])

    await world.run(System.HUBSPOT)
    assert sorted(a["name1"] for a in await world.falcana.all("adressen")) == ["Nur Hubspot GmbH", "Nur falcana GmbH"]
    assert len(await world.hubspot.all("companies")) == 1, "the button acts in its own direction only"


async def test_a_webhook_that_never_comes_is_made_good_by_the_poller(world: World) -> None:
    company = await linked_company(world)
    await world.poll()
    await world.hubspot.webhooks(lose_all=True)
    await world.falcana.webhooks(lose_all=True)
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.falcana.edit("adressen", company[1], plz="1040")
    await world.settle()
    assert (await world.falcana.show("adressen", company[1]))["ort"] == ""

    await world.poll()
    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Wien"
    assert (await world.company(company[0]))["zip"] == "1040"


async def test_a_lost_delete_event_is_found_in_the_feed(world: World) -> None:
    company = await linked_company(world)
    person = await linked_person(world, company)
    await world.poll()
    await world.falcana.webhooks(lose_all=True)
    await world.falcana.delete("ansprechpartner", person[1])
    await world.poll()

    assert await world.hubspot.all("contacts") == []


async def test_a_doubled_and_reordered_batch_changes_nothing_more(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.webhooks(duplicate_next=3, reorder_next=3)
    for city in ("Wien", "Graz", "Linz"):
        await world.hubspot.edit("companies", company[0], city=city)
    await world.settle()

    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Linz"


async def test_the_first_push_sends_everything_and_the_second_nothing(world: World) -> None:
    await world.switch(pull=False, push=False)
    for number in range(3):
        await world.falcana.create("adressen", {"name1": f"Alt {number} GmbH"})
    await world.settle()
    await world.run(System.FALCANA)
    assert len(await world.hubspot.all("companies")) == 3

    await world.hubspot.ask("POST", "/stats/reset")
    await world.run(System.FALCANA)
    assert await world.hubspot.writes() == []


async def test_a_first_pull_recognises_what_is_there_and_makes_no_duplicate(world: World) -> None:
    await world.switch(pull=False, push=False)
    address = await world.falcana.create(
        "adressen",
        {"name1": "Müller & Söhne Ges.m.b.H.", "website": "https://www.mueller.example.com", "telefon": "01/234567"},
    )
    await world.falcana.create(
        "ansprechpartner", {"adresse_id": int(address), "nachname": "Fritz", "email": "s.fritz@example.com"}
    )
    company = await world.hubspot.create(
        "companies", {"name": "Mueller und Soehne GmbH", "website": "mueller.example.com", "phone": "+43 1 234567"}
    )
    await world.hubspot.create("contacts", {"lastname": "Fritz", "email": "S.Fritz@Example.com"}, companyId=company)
    await world.settle()
    run_id = await world.run(System.HUBSPOT)

    (only,) = await world.falcana.all("adressen")
    (person,) = await world.falcana.all("ansprechpartner")
    assert only["individualfelder"]["hubspot_unternehmen_id"] == company
    assert only["telefon"] == "01/234567", "the same number is not spelled anew"
    assert person["individualfelder"]["hubspot_kontakt_id"]
    run = await world.store.runs.progress(run_id)
    assert (run.expected, run.counted, run.finished) == (2, 2, True)


async def test_an_e_mail_shared_by_two_people_is_a_question_for_a_person(world: World) -> None:
    await world.switch(pull=False, push=False)
    address = int(await world.falcana.create("adressen", {"name1": "Büro GmbH"}))
    for name in ("Eins", "Zwei"):
        await world.falcana.create(
            "ansprechpartner", {"adresse_id": address, "nachname": name, "email": "office@example.com"}
        )
    await world.hubspot.create("contacts", {"lastname": "Drei", "email": "office@example.com"})
    await world.settle()
    await world.run(System.HUBSPOT)

    assert len(await world.falcana.all("ansprechpartner")) == 2
    assert [row["category"] for row in await world.store.trouble.parked(1)] == ["ambiguous"]


async def test_a_second_run_is_refused_while_one_is_active(world: World) -> None:
    connection = await world.store.connections.get(1)
    await world.hubspot.create("companies", {"name": "Eine GmbH"})
    await start_run(world.poller, connection, System.HUBSPOT)
    with pytest.raises(AlreadyRunning):
        await start_run(world.poller, connection, System.HUBSPOT)
    await world.settle()


async def test_of_two_pollers_one_leads_and_the_other_takes_over(world: World) -> None:
    first, second = Leadership(world.dsn, "poller"), Leadership(world.dsn, "poller")
    assert (await first.held(), await second.held(), await first.held()) == (True, False, True)

    await first.step_down()
    assert await second.held()
    await second.step_down()


async def test_a_failed_poll_keeps_its_checkpoint(world: World) -> None:
    await linked_company(world)
    await world.poll()
    before = await world.store.checkpoints.all(1)
    await world.hubspot.fault(match="POST .*search", do="status", status=400, times=2)
    await world.falcana.fault(match="GET .*aenderungen", do="status", status=400, times=2)
    await world.poll()

    assert await world.store.checkpoints.all(1) == before


async def test_an_expired_feed_position_means_comparing_everything(world: World) -> None:
    company = await linked_company(world)
    await world.poll()
    await world.falcana.webhooks(lose_all=True)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.falcana.ask("POST", "/feed/forget", {"bis_seq": 10_000_000})
    await world.poll()

    assert (await world.company(company[0]))["city"] == "Graz"
