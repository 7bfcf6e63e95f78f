"""Records that go away, come back, or become one (R12-R16, Q17, Q18, Q21)."""

from __future__ import annotations

from schemas.links import LinkState
from schemas.records import ObjectType, System
from sync_worker.operator import approve_deletes
from sync_worker.worker import run_once
from tests.journeys.stories import linked_company, linked_person
from tests.world import World


async def state_of(world: World, hubspot_id: str, object_type: ObjectType = ObjectType.COMPANY) -> LinkState:
    """Where the link of a HubSpot record stands."""
    return (await world.store.links.by_record(1, object_type, System.HUBSPOT, [hubspot_id]))[hubspot_id].state


async def test_a_delete_in_hubspot_keeps_the_adresse_and_nothing_is_sent_any_more(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.delete("companies", company[0])
    await world.settle()
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()
    await world.poll()

    address = await world.falcana.show("adressen", company[1])
    assert address["individualfelder"]["hubspot_unternehmen_id"] == company[0]
    assert await world.hubspot.all("companies") == []
    assert await state_of(world, company[0]) is LinkState.HUBSPOT_DELETED


async def test_a_restore_in_hubspot_resumes_the_link_and_the_edit_made_meanwhile_arrives(world: World) -> None:
    company = await linked_company(world)
    await world.hubspot.delete("companies", company[0])
    await world.settle()
    await world.falcana.edit("adressen", company[1], ort="Graz")
    await world.settle()
    await world.hubspot.restore("companies", company[0])
    await world.settle()

    assert (await world.company(company[0]))["city"] == "Graz"
    assert await state_of(world, company[0]) is LinkState.LINKED


async def test_a_deleted_person_stays_in_falcana_and_is_never_created_again(world: World) -> None:
    company = await linked_company(world)
    person = await linked_person(world, company)
    await world.hubspot.ask("POST", "/records/contacts/bulk-delete", {"ids": [person[0]]})
    await world.settle()
    await world.falcana.edit("ansprechpartner", person[1], position="Leitung")
    await world.settle()
    await world.run(System.FALCANA)

    assert await world.hubspot.all("contacts") == []
    assert (await world.falcana.show("ansprechpartner", person[1]))["nachname"] == "Muster"


async def test_a_delete_in_falcana_archives_the_contact_and_a_restore_cannot_bring_two(world: World) -> None:
    company = await linked_company(world)
    person = await linked_person(world, company)
    await world.falcana.delete("ansprechpartner", person[1])
    await world.settle()

    assert await world.hubspot.all("contacts") == []
    assert [one["id"] for one in await world.hubspot.ask("GET", "/records/contacts?archived=true")] == [person[0]]


async def test_deleting_an_adresse_takes_its_people_along(world: World) -> None:
    company = await linked_company(world)
    await linked_person(world, company)
    await world.falcana.delete("adressen", company[1])
    await world.settle()

    assert await world.hubspot.all("companies") == []
    assert await world.hubspot.all("contacts") == []


async def test_a_delete_waits_while_the_push_is_off_and_a_pull_does_not_recreate_it(world: World) -> None:
    company = await linked_company(world)
    await world.switch(pull=True, push=False)
    await world.falcana.delete("adressen", company[1])
    await world.settle()
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.settle()
    await world.run(System.HUBSPOT)

    assert await world.falcana.all("adressen") == []
    assert len(await world.hubspot.all("companies")) == 1
    assert await state_of(world, company[0]) is LinkState.FALCANA_DELETED_PENDING


async def test_a_restore_in_falcana_before_the_push_cancels_the_delete(world: World) -> None:
    company = await linked_company(world)
    await world.switch(pull=True, push=False)
    await world.falcana.delete("adressen", company[1])
    await world.settle()
    await world.falcana.restore("adressen", company[1])
    await world.settle()
    await world.switch(pull=True, push=True)
    await world.poll()

    assert len(await world.hubspot.all("companies")) == 1
    assert await state_of(world, company[0]) is LinkState.LINKED


async def test_an_edit_in_hubspot_after_the_delete_in_falcana_is_a_conflict_for_a_person(world: World) -> None:
    company = await linked_company(world)
    await world.switch(pull=True, push=False)
    await world.falcana.delete("adressen", company[1])
    await world.settle()
    await world.hubspot.ask("POST", "/clock", {"offset_ms": 10_000})
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.switch(pull=True, push=True)
    await world.settle()
    await world.poll()

    assert len(await world.hubspot.all("companies")) == 1
    assert [row["category"] for row in await world.store.trouble.parked(1)] == ["edit_vs_delete"]


async def test_unusually_many_deletes_are_held_until_a_person_approves_them(world: World) -> None:
    for number in range(8):
        await linked_company(world, name=f"Firma {number} GmbH")
    await world.falcana.webhooks(paused=True)
    for address in await world.falcana.all("adressen"):
        await world.falcana.delete("adressen", str(address["id"]))
    await world.falcana.webhooks(paused=False)
    await world.settle()
    assert len(await world.hubspot.all("companies")) > 0

    await approve_deletes(world.store, 1, ObjectType.COMPANY, carry_out=True)
    await world.settle()
    assert await world.hubspot.all("companies") == []


async def test_a_merge_in_hubspot_moves_the_link_to_the_new_id(world: World) -> None:
    company = await linked_company(world)
    other = await world.hubspot.create("companies", {"name": "Doppelt", "city": "Linz"})
    await world.hubspot.webhooks(lose_next=1)
    survivor = await world.hubspot.ask(
        "POST", "/records/companies/merge", {"primaryObjectId": company[0], "objectIdToMerge": other}
    )
    await world.hubspot.webhooks(lose_next=0)
    await world.poll()
    await world.falcana.edit("adressen", company[1], plz="1040")
    await world.settle()

    assert (await world.company(survivor["id"]))["zip"] == "1040"
    address = await world.falcana.show("adressen", company[1])
    assert address["individualfelder"]["hubspot_unternehmen_id"] == survivor["id"]


async def test_a_merge_of_two_linked_companies_keeps_one_link_and_flags_the_other(world: World) -> None:
    winner, loser = await linked_company(world), await linked_company(world, name="Zweite GmbH")
    survivor = await world.hubspot.ask(
        "POST", "/records/companies/merge", {"primaryObjectId": winner[0], "objectIdToMerge": loser[0]}
    )
    await world.settle()
    await world.falcana.edit("adressen", loser[1], ort="Steyr")
    await world.settle()

    assert [company["id"] for company in await world.hubspot.all("companies")] == [survivor["id"]]
    assert (await world.falcana.show("adressen", winner[1]))["individualfelder"]["hubspot_unternehmen_id"] == survivor[
        "id"
    ]
    assert len(await world.falcana.all("adressen")) == 2, "nothing is deleted in falcana"


async def test_a_chain_of_merges_is_followed(world: World) -> None:
    first = await linked_company(world)
    others = [await world.hubspot.create("companies", {"name": f"Kette {n}"}) for n in range(2)]
    await world.settle()
    one = await world.hubspot.ask(
        "POST", "/records/companies/merge", {"primaryObjectId": first[0], "objectIdToMerge": others[0]}
    )
    two = await world.hubspot.ask(
        "POST", "/records/companies/merge", {"primaryObjectId": one["id"], "objectIdToMerge": others[1]}
    )
    await world.settle()
    await world.falcana.edit("adressen", first[1], ort="Steyr")
    await world.settle()

    assert (await world.company(two["id"]))["city"] == "Steyr"


async def test_a_merge_in_falcana_hands_the_link_to_the_survivor_and_deletes_nothing_in_hubspot(world: World) -> None:
    company = await linked_company(world)
    await world.switch(pull=False, push=False)
    other = await world.falcana.create("adressen", {"name1": "Doppelt GmbH"})
    await world.settle()
    await world.switch(pull=True, push=True)
    await world.falcana.ask("POST", "/records/adressen/merge", {"ziel_id": int(other), "verlierer_id": int(company[1])})
    await world.settle()
    await world.falcana.edit("adressen", other, ort="Steyr")
    await world.settle()

    (there,) = await world.hubspot.all("companies")
    assert (there["id"], there["properties"]["city"]) == (company[0], "Steyr")


async def test_a_privacy_deletion_erases_our_copies_and_keeps_the_falcana_record(world: World) -> None:
    company = await linked_company(world)
    person = await linked_person(world, company)
    await world.hubspot.ask("POST", f"/contacts/{person[0]}/privacy-delete")
    await world.settle()
    await world.falcana.edit("ansprechpartner", person[1], position="Leitung")
    await world.settle()

    link = (await world.store.links.by_record(1, ObjectType.CONTACT, System.HUBSPOT, [person[0]]))[person[0]]
    assert (link.state, link.erased, link.fields) == (LinkState.HUBSPOT_DELETED, True, {})
    assert "s.muster" not in str(await world.store.trouble.history(link.id))
    assert await world.hubspot.all("contacts") == []
    assert (await world.falcana.show("ansprechpartner", person[1]))["nachname"] == "Muster"


async def test_a_privacy_deletion_is_not_forgotten_while_its_record_is_busy(world: World) -> None:
    person = await linked_person(world, await linked_company(world))
    link = (await world.store.links.by_record(1, ObjectType.CONTACT, System.HUBSPOT, [person[0]]))[person[0]]
    await world.store.links.lease_more([link.id], 60, "somebody else")
    await world.hubspot.ask("POST", f"/contacts/{person[0]}/privacy-delete")
    await world.hubspot.ask("POST", "/webhooks/flush")
    await run_once(world.bench)
    await world.store.links.release_owned("somebody else")
    await world.settle()

    link = (await world.store.links.by_record(1, ObjectType.CONTACT, System.HUBSPOT, [person[0]]))[person[0]]
    assert (link.erased, link.fields) == (True, {})


async def test_a_hidden_adresse_is_not_a_deleted_one(world: World) -> None:
    company = await linked_company(world)
    await world.falcana.ask("POST", f"/records/adressen/{company[1]}/hide")
    await world.hubspot.edit("companies", company[0], city="Wien")
    await world.settle()
    await world.falcana.ask("POST", f"/records/adressen/{company[1]}/unhide")
    await world.hubspot.edit("companies", company[0], zip="1040")
    await world.settle()

    assert len(await world.hubspot.all("companies")) == 1
    address = await world.falcana.show("adressen", company[1])
    assert (address["ort"], address["plz"]) == ("Wien", "1040")
