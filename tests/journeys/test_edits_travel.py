"""Creates and edits, both ways, for companies and people."""

from __future__ import annotations

from sync_worker.worker import run_once
from tests.journeys.stories import linked_company, linked_person
from tests.world import World


async def test_a_company_created_in_hubspot_becomes_an_adresse_with_its_id(world: World) -> None:
    hubspot_id, falcana_id = await linked_company(world, country="Austria", falcana_uid="ATU13585627")

    address = await world.falcana.show("adressen", falcana_id)
    assert (address["name1"], address["land"], address["uid_nummer"]) == ("Müller & Söhne GmbH", "AT", "ATU13585627")
    assert address["adressart"] == "firma"
    assert (await world.company(hubspot_id))["falcana_id"] == falcana_id


async def test_an_adresse_created_in_falcana_becomes_a_company_with_its_id(world: World) -> None:
    falcana_id = await world.falcana.create("adressen", {"name1": "Huber KG", "land": "AT", "telefon": "01/2345678"})
    await world.settle()

    (company,) = await world.hubspot.all("companies")
    assert company["properties"]["name"] == "Huber KG"
    assert company["properties"]["country"] == "Austria"
    assert company["properties"]["phone"] == "01/2345678", "the spelling stays as it was typed"
    address = await world.falcana.show("adressen", falcana_id)
    assert address["individualfelder"]["hubspot_unternehmen_id"] == company["id"]


async def test_a_contact_arrives_under_the_adresse_of_its_company(world: World) -> None:
    company = await linked_company(world)
    hubspot_id, falcana_id = await linked_person(world, company, salutation="Frau", jobtitle="Leitung Einkauf")

    person = await world.falcana.show("ansprechpartner", falcana_id)
    assert str(person["adresse_id"]) == company[1]
    assert (person["anrede"], person["position"]) == ("frau", "Leitung Einkauf")
    assert (await world.contact(hubspot_id))["falcana_id"] == falcana_id


async def test_an_ansprechpartner_arrives_with_the_primary_company(world: World) -> None:
    company = await linked_company(world)
    await world.falcana.create(
        "ansprechpartner", {"adresse_id": int(company[1]), "vorname": "Max", "nachname": "Berger"}
    )
    await world.settle()

    (contact,) = await world.hubspot.all("contacts")
    assert contact["properties"]["lastname"] == "Berger"
    assert contact["primaryCompanyId"] == company[0]


async def test_a_person_and_its_company_created_together_arrive_together(world: World) -> None:
    await world.hubspot.webhooks(paused=True)
    company_id = await world.hubspot.create("companies", {"name": "Gemeinsam OG"})
    await world.hubspot.create("contacts", {"lastname": "Eilig"}, companyId=company_id)
    await world.hubspot.webhooks(paused=False, reorder_next=1)
    await world.settle()

    (address,) = await world.falcana.all("adressen")
    (person,) = await world.falcana.all("ansprechpartner")
    assert person["adresse_id"] == address["id"]


async def test_a_person_brings_its_unknown_company_along(world: World) -> None:
    await world.hubspot.webhooks(lose_next=1)
    company_id = await world.hubspot.create("companies", {"name": "Verlorener Webhook GmbH"})
    await world.hubspot.ask("POST", "/webhooks/flush")
    await world.hubspot.create("contacts", {"lastname": "Wartend"}, companyId=company_id)
    await world.settle()

    (address,) = await world.falcana.all("adressen")
    (person,) = await world.falcana.all("ansprechpartner")
    assert address["individualfelder"]["hubspot_unternehmen_id"] == company_id
    assert person["adresse_id"] == address["id"]


async def test_a_contact_without_company_becomes_a_privatperson(world: World) -> None:
    hubspot_id = await world.hubspot.create(
        "contacts", {"firstname": "Eva", "lastname": "Allein", "email": "eva@example.com"}
    )
    await world.settle()

    (address,) = await world.falcana.all("adressen")
    (person,) = await world.falcana.all("ansprechpartner")
    assert (address["adressart"], address["name1"]) == ("privatperson", "Eva Allein")
    assert person["individualfelder"]["hubspot_kontakt_id"] == hubspot_id
    assert await world.hubspot.all("companies") == [], "the holder Adresse is never a company"


async def test_an_edit_in_hubspot_arrives_in_falcana(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.edit("companies", company[0], phone="+43 1 999")
    await world.settle()

    assert (await world.falcana.show("adressen", company[1]))["telefon"] == "+43 1 999"


async def test_an_edit_made_right_after_the_create_is_not_lost(world: World) -> None:
    company = await created_but_not_verified(world)
    await world.hubspot.edit("companies", company[0], phone="+43 1 999")
    await world.settle()

    assert (await world.company(company[0]))["phone"] == "+43 1 999"
    assert (await world.falcana.show("adressen", company[1]))["telefon"] == "+43 1 999"


async def created_but_not_verified(world: World) -> tuple[str, str]:
    """A company that has just arrived; the look that verifies our own write is still to come."""
    hubspot_id = await world.hubspot.create("companies", {"name": "Eben erst GmbH"})
    await world.hubspot.ask("POST", "/webhooks/flush")
    await run_once(world.bench)
    (address,) = await world.falcana.all("adressen")
    return hubspot_id, str(address["id"])


async def test_an_edit_in_falcana_arrives_in_hubspot(world: World) -> None:
    company = await linked_company(world)
    person = await linked_person(world, company)
    await world.falcana.edit("ansprechpartner", person[1], position="Geschäftsführung")
    await world.settle()

    assert (await world.contact(person[0]))["jobtitle"] == "Geschäftsführung"


async def test_only_the_changed_field_is_sent(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.ask("POST", "/stats/reset")
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()

    assert [write["properties"] for write in await world.hubspot.writes()] == [{"city": "Graz"}]


async def test_another_spelling_of_the_same_thing_is_no_change(world: World) -> None:
    company = await linked_company(world, country="Austria")
    await world.hubspot.ask("POST", "/stats/reset")
    await world.falcana.edit("adressen", company[1], telefon="0043 1 234 56 78")
    await world.settle()

    assert await world.hubspot.writes() == []
    assert (await world.company(company[0]))["phone"] == "+43 1 2345678"


async def test_an_emptied_field_is_an_edit_and_clears_the_other_side(world: World) -> None:
    company = await linked_company(world, city="Wien")
    await world.hubspot.edit("companies", company[0], city="")
    await world.settle()

    assert (await world.falcana.show("adressen", company[1]))["ort"] == ""


async def test_a_dropdown_value_makes_the_round_trip_and_an_unknown_one_stays_home(world: World) -> None:
    company = await linked_company(world, falcana_segment="A")
    assert (await world.falcana.show("adressen", company[1]))["individualfelder"]["segment"] == "A"

    await world.falcana.edit("adressen", company[1], individualfelder={"segment": "B"}, ort="Linz")
    await world.settle()
    assert (await world.company(company[0]))["falcana_segment"] == "B"
    assert (await world.company(company[0]))["city"] == "Linz"


async def test_a_person_moves_to_another_company_in_either_system(world: World) -> None:
    old, new = await linked_company(world), await linked_company(world, name="Neue Firma AG")
    person = await linked_person(world, old)

    await world.hubspot.ask("PUT", f"/contacts/{person[0]}/primary-company", {"companyId": new[0]})
    await world.settle()
    assert str((await world.falcana.show("ansprechpartner", person[1]))["adresse_id"]) == new[1]

    await world.falcana.edit("ansprechpartner", person[1], adresse_id=int(old[1]))
    await world.settle()
    assert (await world.contact(person[0]))["company_id"] == old[0]


async def test_nothing_is_written_once_everything_has_arrived(world: World) -> None:
    company = await linked_company(world)
    await linked_person(world, company)
    await world.poll()
    await world.hubspot.ask("POST", "/stats/reset")
    await world.falcana.ask("POST", "/stats/reset")

    for _round in range(4):
        await world.poll()

    assert await world.hubspot.writes() == []
    assert await world.falcana.writes() == []
