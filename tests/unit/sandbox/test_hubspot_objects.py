"""Single records, as the objects guide describes them."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.hubspot_account import COMPANY_IS_PRIMARY, OBJECTS, Account, account


async def test_a_created_record_shows_what_was_written_and_the_defaults() -> None:
    async with account() as hubspot:
        made = await hubspot.ask("POST", f"{OBJECTS}/0-1", {"properties": {"email": " Max@Example.com ", "phone": "1"}})

        assert made.status == 201
        assert made.body["id"].isdigit()
        assert made.body["properties"]["email"] == "max@example.com"
        assert made.body["properties"]["phone"] == "1"
        assert made.body["properties"]["firstname"] is None
        assert made.body["url"].endswith(f"/contacts/4711/record/0-1/{made.body['id']}")
        assert made.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("prefix", ["/crm/objects/2026-03", "/crm/objects/2026-09", "/crm/v3/objects"])
@pytest.mark.parametrize("kind", ["companies", "0-2"])
async def test_every_version_and_type_segment_serves_the_same_record(prefix: str, kind: str) -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="Alpha")

        answer = await hubspot.ask("GET", f"{prefix}/{kind}/{record_id}?properties=name,unknown")

        assert answer.body["properties"]["name"] == "Alpha"
        assert "unknown" not in answer.body["properties"]


async def test_one_bad_property_refuses_all_and_every_bad_one_is_named() -> None:
    async with account() as hubspot:
        bad = {
            "nope": "x",
            "email": "x@@example",
            "lifecyclestage": "Lead",
            "associatedcompanyid": "1",
            "createdate": "1",
        }

        answer = await hubspot.ask("POST", f"{OBJECTS}/contacts", {"properties": {"firstname": "Max", **bad}})

        assert answer.status == 400
        assert answer.body["category"] == "VALIDATION_ERROR"
        codes = {error["context"]["propertyName"][0]: error["code"] for error in answer.body["errors"]}
        assert codes == {
            "nope": "PROPERTY_DOESNT_EXIST",
            "email": "INVALID_EMAIL",
            "lifecyclestage": "INVALID_OPTION",
            "associatedcompanyid": "READ_ONLY_VALUE",
            "createdate": "READ_ONLY_VALUE",
        }
        assert await hubspot.person("GET", "/records/contacts") == []


async def test_an_existing_email_conflicts_on_create_and_names_both_ids_on_update() -> None:
    async with account() as hubspot:
        holder = await hubspot.made("contacts", email="a@example.com")
        other = await hubspot.made("contacts", email="b@example.com")
        body = {"properties": {"email": "A@example.com"}}

        created = await hubspot.ask("POST", f"{OBJECTS}/contacts", body)
        updated = await hubspot.ask("PATCH", f"{OBJECTS}/contacts/{other}", body)

        assert (created.status, created.body["category"]) == (409, "CONFLICT")
        assert created.body["message"] == f"Contact already exists. Existing ID: {holder}"
        assert updated.status == 400
        assert f"on {other}. {holder} already has that value." in updated.body["message"]


async def test_companies_may_share_a_domain_and_take_it_from_the_website() -> None:
    async with account() as hubspot:
        for _ in range(2):
            made = await hubspot.ask(
                "POST",
                f"{OBJECTS}/companies",
                {"properties": {"name": "A", "website": "https://www.Alpha.example/de?x=1"}},
            )

            assert made.status == 201
            assert (await hubspot.read("companies", made.body["id"]))["properties"]["domain"] == "alpha.example"


async def test_an_empty_text_clears_and_null_is_ignored() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="Max", lastname="Muster")
        body = {"properties": {"firstname": "", "lastname": None}}

        answer = await hubspot.ask("PATCH", f"{OBJECTS}/contacts/{record_id}", body)

        assert answer.body["properties"]["firstname"] is None
        assert answer.body["properties"]["lastname"] == "Muster"


async def test_an_identical_value_changes_neither_history_nor_date() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="Max")
        before = await hubspot.read("contacts", record_id, propertiesWithHistory="firstname")

        await hubspot.ask("PATCH", f"{OBJECTS}/contacts/{record_id}", {"properties": {"firstname": " Max "}})

        assert await hubspot.read("contacts", record_id, propertiesWithHistory="firstname") == before


async def test_a_history_is_newest_first_and_says_who_it_was() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="Max")
        await hubspot.ask("PATCH", f"{OBJECTS}/contacts/{record_id}", {"properties": {"firstname": "Moritz"}})

        record = await hubspot.read("contacts", record_id, propertiesWithHistory="firstname")

        own, theirs = record["propertiesWithHistory"]["firstname"]
        assert (own["value"], own["sourceType"], own["sourceId"]) == ("Moritz", "INTEGRATION", "99")
        assert (theirs["value"], theirs["sourceType"]) == ("Max", "CRM_UI")
        assert theirs["sourceId"].startswith("userId:")
        assert own["timestamp"] > theirs["timestamp"]


async def test_the_modified_date_grows_with_every_change_even_when_the_clock_goes_back() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="A")
        dates = []
        for name in "BCD":
            await hubspot.person("POST", "/clock", {"offset_ms": -60_000})
            await hubspot.person("PATCH", f"/records/companies/{record_id}", {"properties": {"name": name}})
            dates.append((await hubspot.read("companies", record_id))["properties"]["hs_lastmodifieddate"])

        assert len(set(dates)) == 3
        assert dates == sorted(dates)


async def test_a_list_pages_by_id_to_the_end() -> None:
    async with account() as hubspot:
        wanted = [await hubspot.made("contacts", firstname=f"n{number}") for number in range(5)]

        assert await _pages(hubspot, f"{OBJECTS}/contacts?limit=2") == [wanted[:2], wanted[2:4], wanted[4:]]
        assert (await hubspot.ask("GET", f"{OBJECTS}/contacts?limit=101")).status == 400


async def _pages(hubspot: Account, path: str) -> list[list[str]]:
    pages, after = [], "0"
    while after:
        body = (await hubspot.ask("GET", f"{path}&after={after}")).body
        pages.append([one["id"] for one in body["results"]])
        after = body.get("paging", {}).get("next", {}).get("after")
    return pages


async def test_missing_ids_and_types_answer_in_their_three_ways() -> None:
    async with account() as hubspot:
        unknown = await hubspot.ask("GET", f"{OBJECTS}/contacts/424242")
        word = await hubspot.ask("GET", f"{OBJECTS}/contacts/abc")
        kind = await hubspot.ask("GET", f"{OBJECTS}/butterflies/1")

        assert (unknown.status, unknown.body["message"]) == (404, "resource not found")
        assert "category" not in unknown.body
        assert (word.status, word.body["category"]) == (404, "OBJECT_NOT_FOUND")
        assert (kind.status, kind.body["message"]) == (400, "Unable to infer object type from: butterflies")


async def test_a_record_is_read_by_email_and_by_a_unique_property() -> None:
    async with account() as hubspot:
        await hubspot.unique("contacts")
        record_id = await hubspot.made("contacts", email="a@example.com", falcana_id="F1")

        assert (await hubspot.read("contacts", "A@example.com", idProperty="email"))["id"] == record_id
        assert (await hubspot.read("contacts", "F1", idProperty="falcana_id"))["id"] == record_id
        assert (await hubspot.ask("GET", f"{OBJECTS}/contacts/Max?idProperty=firstname")).status == 400


async def test_a_contact_can_be_created_under_its_company() -> None:
    async with account() as hubspot:
        company = await hubspot.made("companies", name="A")
        link = {"to": {"id": int(company)}, "types": COMPANY_IS_PRIMARY}
        body = {"properties": {"firstname": "Max"}, "associations": [link]}

        contact = (await hubspot.ask("POST", f"{OBJECTS}/contacts", body)).body["id"]

        shown = await hubspot.read("contacts", contact, associations="companies", properties="associatedcompanyid")
        assert shown["properties"]["associatedcompanyid"] == company
        kinds = [row["type"] for row in shown["associations"]["companies"]["results"]]
        assert kinds == ["contact_to_company", "contact_to_company_unlabeled"]


async def test_what_cannot_be_read_is_a_400_and_never_a_crash() -> None:
    async with account() as hubspot:
        for text in ("{", "[]", '{"properties": 1}'):
            assert (await hubspot.ask("POST", f"{OBJECTS}/contacts", data=text)).status == 400
