"""A contact and its companies, one of them the primary one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.hubspot_account import COMPANY_IS_PRIMARY, OBJECTS, Account, account

BATCH = "/crm/associations/2026-09/contacts/companies/batch"


async def people(hubspot: Account, companies: int = 2) -> tuple[str, list[str]]:
    """A contact and companies."""
    contact = await hubspot.made("contacts", firstname="Max")
    return contact, [await hubspot.made("companies", name=f"c{number}") for number in range(companies)]


async def labels(hubspot: Account, contact: str) -> dict[str, list[int]]:
    answer = await hubspot.ask("GET", f"{OBJECTS}/contacts/{contact}/associations/companies")
    return {one["toObjectId"]: [kind["typeId"] for kind in one["associationTypes"]] for one in answer.body["results"]}


async def primary(hubspot: Account, contact: str) -> str | None:
    properties = (await hubspot.read("contacts", contact, properties="associatedcompanyid"))["properties"]
    value: str | None = properties["associatedcompanyid"]
    return value


def pair(contact: str, company: str, *types: int) -> dict[str, Any]:
    named = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number} for number in types]
    return {"from": {"id": contact}, "to": {"id": company}, "types": named}


async def test_a_new_primary_company_takes_the_label_from_the_old_one() -> None:
    async with account() as hubspot:
        contact, (old, new) = await people(hubspot)
        for company in (old, new):
            answer = await hubspot.ask(
                "PUT", f"{OBJECTS}/contacts/{contact}/associations/companies/{company}", COMPANY_IS_PRIMARY
            )
            assert answer.status == 201

        assert await labels(hubspot, contact) == {old: [279], new: [1, 279]}
        assert await primary(hubspot, contact) == new


async def test_a_relation_moves_no_modified_date() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)
        before = await hubspot.read("contacts", contact)

        await hubspot.ask("POST", f"{BATCH}/create", {"inputs": [pair(contact, company, 1)]})

        assert await hubspot.read("contacts", contact) == before
        assert await primary(hubspot, contact) == company


async def test_a_batch_read_tells_of_records_without_a_company_as_errors() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)
        lonely = await hubspot.made("contacts", firstname="Moritz")
        await hubspot.ask("POST", f"{BATCH}/create", {"inputs": [pair(contact, company, 1)]})

        answer = await hubspot.ask("POST", f"{BATCH}/read", {"inputs": [{"id": contact}, {"id": lonely}]})

        assert answer.status == 207
        (row,) = answer.body["results"]
        assert (row["from"]["id"], row["to"][0]["toObjectId"]) == (contact, company)
        assert [kind["label"] for kind in row["to"][0]["associationTypes"]] == ["Primary", None]
        (error,) = answer.body["errors"]
        assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
        assert error["context"]["fromObjectId"] == [lonely]


async def test_both_sides_see_the_same_relation_under_their_own_numbers() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)
        path = "/crm/v4/associations/companies/contacts/batch"

        await hubspot.ask("POST", f"{path}/create", {"inputs": [pair(company, contact, 2)]})
        seen = await hubspot.ask("POST", f"{path}/read", {"inputs": [{"id": company}]})

        assert await labels(hubspot, contact) == {company: [1, 279]}
        assert seen.body["results"][0]["to"][0]["toObjectId"] == int(contact)
        assert {kind["typeId"] for kind in seen.body["results"][0]["to"][0]["associationTypes"]} == {2, 280}


async def test_labels_go_alone_and_everything_goes_with_the_relation() -> None:
    async with account() as hubspot:
        contact, (one, two) = await people(hubspot)
        await hubspot.ask("POST", f"{BATCH}/create", {"inputs": [pair(contact, one, 1), pair(contact, two, 279)]})

        await hubspot.ask("POST", f"{BATCH}/labels/archive", {"inputs": [pair(contact, one, 1)]})
        assert await labels(hubspot, contact) == {one: [279], two: [279]}
        gone = {"from": {"id": contact}, "to": [{"id": one}, {"id": two}]}
        await hubspot.ask("POST", f"{BATCH}/archive", {"inputs": [gone]})
        assert await labels(hubspot, contact) == {}


async def test_single_relations_come_and_go() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)

        default = f"{OBJECTS}/contacts/{contact}/associations/default/companies/{company}"
        assert (await hubspot.ask("PUT", default)).status == 200
        assert await labels(hubspot, contact) == {company: [279]}
        path = f"{OBJECTS}/contacts/{contact}/associations/companies/{company}"
        assert (await hubspot.ask("DELETE", path)).status == 204
        assert await labels(hubspot, contact) == {}


@pytest.mark.parametrize("types", [[], [3], [280]])
async def test_a_type_that_does_not_exist_between_the_two_is_refused(types: list[int]) -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)

        answer = await hubspot.ask("POST", f"{BATCH}/create", {"inputs": [pair(contact, company, *types)]})

        assert (answer.status, answer.body["results"]) == (207, [])
        assert await labels(hubspot, contact) == {}


async def test_a_missing_record_is_an_error_of_its_row() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)
        inputs = [pair(contact, company, 1), pair(contact, "424242", 1)]

        answer = await hubspot.ask("POST", f"{BATCH}/create", {"inputs": inputs})

        assert len(answer.body["results"]) == 1
        assert answer.body["errors"][0]["context"]["INVALID_OBJECT_IDS"] == ["COMPANY=424242 is not valid"]


async def test_an_archived_company_is_nobodys_primary_one_until_it_is_restored() -> None:
    async with account() as hubspot:
        contact, (company, _) = await people(hubspot)
        await hubspot.person("PUT", f"/contacts/{contact}/primary-company", {"companyId": company})
        seen = []
        for method, path in (("DELETE", ""), ("POST", "/restore")):
            await hubspot.person(method, f"/records/companies/{company}{path}")
            seen.append(await primary(hubspot, contact))

        assert seen == [None, company]
