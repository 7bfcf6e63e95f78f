"""Merging, deleting, restoring and erasing."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, Account, account

NINETY_ONE_DAYS_MS = 91 * 24 * 3600 * 1000


async def merge(hubspot: Account, kind: str, winner: str, loser: str) -> str:
    body = {"primaryObjectId": winner, "objectIdToMerge": loser}
    answer = await hubspot.ask("POST", f"{OBJECTS}/{kind}/merge", body)
    assert answer.status == 200, answer.body
    return str(answer.body["id"])


async def test_a_merge_makes_a_third_record_to_which_all_old_ids_lead() -> None:
    async with account() as hubspot:
        a, b, c = [await hubspot.made("companies", name=name) for name in "ABC"]

        first = await merge(hubspot, "companies", a, b)
        last = await merge(hubspot, "companies", first, c)

        assert len({a, b, c, first, last}) == 5
        for old in (a, b, c, first, last):
            shown = await hubspot.read("companies", old, properties="name,hs_merged_object_ids")
            assert (shown["id"], shown["properties"]["name"]) == (last, "A")
        assert shown["properties"]["hs_merged_object_ids"] == f"{first};{c};{a};{b}"


async def test_a_single_update_follows_a_merged_id() -> None:
    async with account() as hubspot:
        a, b = [await hubspot.made("companies", name=name) for name in "AB"]
        survivor = await merge(hubspot, "companies", a, b)

        answer = await hubspot.ask("PATCH", f"{OBJECTS}/companies/{b}", {"properties": {"phone": "1"}})

        assert (answer.status, answer.body["id"]) == (200, survivor)


async def test_a_merged_contact_keeps_both_addresses_and_one_primary_company() -> None:
    async with account() as hubspot:
        contacts, companies = [], []
        for name in "ab":
            companies.append(await hubspot.made("companies", name=name))
            contacts.append(await hubspot.made("contacts", email=f"{name}@example.com", firstname=name))
            await hubspot.person("PUT", f"/contacts/{contacts[-1]}/primary-company", {"companyId": companies[-1]})

        survivor = await merge(hubspot, "contacts", *contacts)

        names = "email,hs_additional_emails,associatedcompanyid"
        shown = (await hubspot.read("contacts", survivor, properties=names))["properties"]
        assert (shown["email"], shown["hs_additional_emails"]) == ("a@example.com", "b@example.com")
        assert shown["associatedcompanyid"] == companies[0]
        assert (await hubspot.read("contacts", "b@example.com", idProperty="email"))["id"] == survivor
        taken = await hubspot.ask("POST", f"{OBJECTS}/contacts", {"properties": {"email": "b@example.com"}})
        assert taken.status == 409


async def test_a_merged_company_keeps_the_contacts_of_both() -> None:
    async with account() as hubspot:
        a, b = [await hubspot.made("companies", name=name) for name in "AB"]
        contact = await hubspot.made("contacts", firstname="Max")
        await hubspot.person("PUT", f"/contacts/{contact}/primary-company", {"companyId": b})

        survivor = await merge(hubspot, "companies", a, b)

        shown = await hubspot.read("contacts", contact, properties="associatedcompanyid")
        assert shown["properties"]["associatedcompanyid"] == survivor


async def test_a_deleted_record_is_read_only_when_archived_ones_are_asked_for() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", email="a@example.com")
        path = f"{OBJECTS}/contacts/{record_id}"

        assert [(await hubspot.ask("DELETE", path)).status for _ in range(2)] == [204, 204]

        assert (await hubspot.ask("GET", path)).status == 404
        assert (await hubspot.ask("PATCH", path, {"properties": {"phone": "1"}})).status == 404
        archived = await hubspot.read("contacts", record_id, archived="true")
        assert archived["archived"] is True
        assert archived["archivedAt"]
        listed = await hubspot.ask("GET", f"{OBJECTS}/contacts?archived=true")
        batch = await hubspot.ask(
            "POST", f"{OBJECTS}/contacts/batch/read?archived=true", {"inputs": [{"id": record_id}]}
        )
        assert [one["id"] for answer in (listed, batch) for one in answer.body["results"]] == [record_id] * 2


async def test_a_restored_record_has_its_id_and_values_again() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", email="a@example.com")
        await hubspot.person("DELETE", f"/records/contacts/{record_id}")
        await hubspot.person("POST", f"/records/contacts/{record_id}/restore")

        assert (await hubspot.read("contacts", "a@example.com", idProperty="email"))["id"] == record_id


@pytest.mark.parametrize("reason", ["a contact with the same address", "ninety days"])
async def test_a_restore_can_be_impossible(reason: str) -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", email="a@example.com")
        await hubspot.person("DELETE", f"/records/contacts/{record_id}")
        if reason == "ninety days":
            await hubspot.person("POST", "/clock", {"offset_ms": NINETY_ONE_DAYS_MS})
        else:
            await hubspot.made("contacts", email="a@example.com")

        answer = await hubspot.ask("POST", f"/_control/records/contacts/{record_id}/restore")

        assert answer.status == 409


async def test_an_erased_contact_cannot_be_found_in_any_way() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", email="a@example.com")
        body = {"objectId": "a@example.com", "idProperty": "email"}

        assert (await hubspot.ask("POST", f"{OBJECTS}/contacts/gdpr-delete", body)).status == 204

        for query in ("", "?archived=true"):
            assert (await hubspot.ask("GET", f"{OBJECTS}/contacts/{record_id}{query}")).status == 404
            assert (await hubspot.ask("GET", f"{OBJECTS}/contacts{query}")).body["results"] == []
        assert (await hubspot.ask("POST", f"/_control/records/contacts/{record_id}/restore")).status == 404
