"""Two people at once, and edits that land between our read and our write."""

from __future__ import annotations

import pytest

from schemas.records import ObjectType, System
from tests.journeys.stories import linked_company
from tests.world import World

BEYOND_SKEW_MS = 10_000


async def conflicts(world: World, hubspot_id: str) -> list[dict[str, object]]:
    """The stored conflicts of a company."""
    links = await world.store.links.by_record(1, ObjectType.COMPANY, System.HUBSPOT, [hubspot_id])
    return await world.store.trouble.conflicts_of(links[hubspot_id].id)


async def test_different_fields_edited_at_the_same_moment_both_survive(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.falcana.edit("adressen", company[1], strasse="Hauptplatz 1")
    await world.settle()

    there, here = await world.company(company[0]), await world.falcana.show("adressen", company[1])
    assert (there["city"], there["address"]) == ("Wien", "Hauptplatz 1")
    assert (here["ort"], here["strasse"]) == ("Wien", "Hauptplatz 1")
    assert await conflicts(world, company[0]) == []


@pytest.mark.parametrize("later", ["hubspot", "falcana"])
async def test_the_same_field_edited_on_both_sides_takes_the_later_edit_and_keeps_the_other(
    world: World, later: str
) -> None:
    company = await linked_company(world)
    ahead = world.hubspot if later == "hubspot" else world.falcana
    await ahead.ask("POST", "/clock", {"offset_ms": BEYOND_SKEW_MS})
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    expected = "Wien" if later == "hubspot" else "Graz"
    assert (await world.company(company[0]))["city"] == expected
    assert (await world.falcana.show("adressen", company[1]))["ort"] == expected
    (conflict,) = await conflicts(world, company[0])
    assert conflict["winner"] == later
    assert conflict["loser"]["value"]["text"] == ({"Wien", "Graz"} - {expected}).pop()  # type: ignore[index]


async def test_edits_within_the_skew_bound_leave_falcana_standing(world: World) -> None:
    company = await linked_company(world)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Graz"
    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Graz"


async def test_a_correction_of_the_arrived_value_wins_whatever_the_clocks_say(world: World) -> None:
    company = await linked_company(world)
    await world.falcana.edit("adressen", company[1], ort="Gras")
    await world.settle()
    await world.hubspot.ask("POST", "/clock", {"offset_ms": -1000})
    await world.hubspot.edit("companies", company[0], city="Graz")
    await world.settle()

    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Graz"
    assert (await world.company(company[0]))["city"] == "Graz"


async def test_an_edit_buried_in_hubspot_by_our_own_write_comes_back(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.ask("POST", "/clock", {"offset_ms": BEYOND_SKEW_MS})
    faster = {
        "method": "PATCH",
        "path": f"/_control/records/companies/{company[0]}",
        "json": {"properties": {"city": "Wien"}},
    }
    await world.hubspot.fault(match="POST .*batch/update", do="act", act=faster)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Wien", "the person's edit was the later one"
    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Wien"


async def test_an_edit_of_another_field_between_read_and_write_survives_in_hubspot(world: World) -> None:
    company = await linked_company(world)
    faster = {
        "method": "PATCH",
        "path": f"/_control/records/companies/{company[0]}",
        "json": {"properties": {"zip": "1040"}},
    }
    await world.hubspot.fault(match="POST .*batch/update", do="act", act=faster)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    assert (await world.falcana.show("adressen", company[1]))["plz"] == "1040"
    assert (await world.company(company[0]))["city"] == "Graz"


async def test_an_edit_between_read_and_write_in_falcana_is_seen_by_its_version(world: World) -> None:
    company = await linked_company(world)
    faster = {"method": "PATCH", "path": f"/_control/records/adressen/{company[1]}", "json": {"plz": "8010"}}
    await world.falcana.fault(match="POST .*stapel", do="act", act=faster)
    await world.hubspot.edit("companies", company[0], city="Graz")
    await world.settle()

    here, there = await world.falcana.show("adressen", company[1]), await world.company(company[0])
    assert (here["plz"], here["ort"]) == ("8010", "Graz")
    assert (there["zip"], there["city"]) == ("8010", "Graz")


@pytest.mark.parametrize("system", ["hubspot", "falcana"])
async def test_a_write_whose_answer_is_lost_is_neither_lost_nor_repeated(world: World, system: str) -> None:
    company = await linked_company(world)
    side = world.hubspot if system == "hubspot" else world.falcana
    path = "POST .*batch/update" if system == "hubspot" else "POST .*stapel"
    await side.fault(match=path, do="drop_after_apply")
    await side.ask("POST", "/stats/reset")
    if system == "hubspot":
        await world.falcana.edit("adressen", company[1], ort="Graz")
    else:
        await world.hubspot.edit("companies", company[0], city="Graz")
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Graz"
    assert (await world.falcana.show("adressen", company[1]))["ort"] == "Graz"
    assert len(await side.writes()) == 1


@pytest.mark.parametrize("system", ["hubspot", "falcana"])
async def test_a_create_whose_answer_is_lost_makes_one_record(world: World, system: str) -> None:
    if system == "hubspot":
        await world.hubspot.fault(match="POST .*batch/upsert", do="drop_after_apply")
        await world.falcana.create("adressen", {"name1": "Einmal GmbH"})
    else:
        await world.falcana.fault(match="POST .*stapel", do="drop_after_apply")
        await world.hubspot.create("companies", {"name": "Einmal GmbH"})
    await world.settle()

    (company,) = await world.hubspot.all("companies")
    (address,) = await world.falcana.all("adressen")
    assert address["individualfelder"]["hubspot_unternehmen_id"] == company["id"]
    assert company["properties"]["falcana_id"] == str(address["id"])


async def test_a_system_that_is_away_for_a_while_delays_and_loses_nothing(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.fault(match="POST .*", do="status", status=503, times=7)
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Graz"


async def test_a_rate_limit_is_waited_out(world: World) -> None:
    company = await linked_company(world)
    body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    await world.hubspot.fault(
        match="POST .*", do="status", status=429, body=body, headers={"Retry-After": "0"}, times=2
    )
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Graz"


async def test_one_bad_record_fails_alone_and_its_neighbours_arrive(world: World) -> None:
    await world.hubspot.create("contacts", {"lastname": "Inhaber", "email": "vergeben@example.com"})
    company = await linked_company(world)
    await world.falcana.webhooks(paused=True)
    await world.falcana.create(
        "ansprechpartner", {"adresse_id": int(company[1]), "nachname": "Gut", "email": "gut@example.com"}
    )
    await world.falcana.create(
        "ansprechpartner", {"adresse_id": int(company[1]), "nachname": "Schlecht", "email": "kein-email"}
    )
    await world.falcana.webhooks(paused=False)
    await world.settle()

    names = {contact["properties"].get("lastname") for contact in await world.hubspot.all("contacts")}
    assert names >= {"Gut", "Schlecht"}, "a bad e-mail holds that field and not the person"
    schlecht = next(c for c in await world.hubspot.all("contacts") if c["properties"].get("lastname") == "Schlecht")
    assert "email" not in schlecht["properties"]
