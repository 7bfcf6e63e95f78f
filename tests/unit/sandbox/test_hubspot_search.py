"""Search with its caps, its limit and its lag."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, Account, account

SEARCH = f"{OBJECTS}/contacts/search"
PEOPLE: list[dict[str, str]] = [
    {"firstname": "Anna", "email": "anna@alpha.example.com", "lifecyclestage": "lead", "zip": "1010"},
    {"firstname": "Bert", "email": "bert@beta.example.com", "lifecyclestage": "customer", "zip": "8010"},
    {"firstname": "Cora", "zip": "90"},
]


def rule(name: str, operator: str, *value: Any) -> dict[str, Any]:
    many = {"values": list(value)} if operator in ("IN", "NOT_IN") else {"value": value[0]} if value else {}
    more = {"highValue": value[1]} if operator == "BETWEEN" else {}
    return {"propertyName": name, "operator": operator, **many, **more}


async def found(hubspot: Account, *groups: list[dict[str, Any]], **more: Any) -> list[str]:
    body = {"filterGroups": [{"filters": group} for group in groups], "properties": ["firstname"], **more}
    answer = await hubspot.ask("POST", SEARCH, body)
    assert answer.status == 200, answer.body
    return [one["properties"]["firstname"] for one in answer.body["results"]]


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (rule("firstname", "EQ", "ANNA"), ["Anna"]),
        (rule("firstname", "NEQ", "Anna"), ["Bert", "Cora"]),
        (rule("lifecyclestage", "EQ", "LEAD"), []),
        (rule("zip", "LT", "1010"), ["Cora"]),
        (rule("zip", "BETWEEN", "1000", "9000"), ["Anna", "Bert"]),
        (rule("email", "IN", "anna@alpha.example.com"), ["Anna"]),
        (rule("firstname", "IN", "Anna"), []),
        (rule("firstname", "NOT_IN", "anna"), ["Bert", "Cora"]),
        (rule("email", "HAS_PROPERTY"), ["Anna", "Bert"]),
        (rule("email", "NOT_HAS_PROPERTY"), ["Cora"]),
        (rule("email", "CONTAINS_TOKEN", "*beta*"), ["Bert"]),
        (rule("email", "CONTAINS_TOKEN", "alpha"), ["Anna"]),
        (rule("email", "CONTAINS_TOKEN", "alph"), []),
        (rule("lastmodifieddate", "GTE", "2020-01-01T00:00:00Z"), ["Anna", "Bert", "Cora"]),
        (rule("lastmodifieddate", "LT", "1577836800000"), []),
    ],
    ids=lambda one: f"{one['operator']} {one.get('value', '')}" if isinstance(one, dict) else "",
)
async def test_an_operator_finds_what_the_guide_says(one: dict[str, Any], names: list[str]) -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/import", {"contacts": [{"properties": person} for person in PEOPLE]})

        assert await found(hubspot, [one]) == names


async def test_groups_are_alternatives_and_the_order_is_that_of_one_property() -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/import", {"contacts": [{"properties": person} for person in PEOPLE]})
        down = [{"propertyName": "firstname", "direction": "DESCENDING"}]

        assert await found(hubspot, [rule("zip", "EQ", "90")], [rule("zip", "EQ", "8010")], sorts=down) == [
            "Cora",
            "Bert",
        ]
        assert await found(hubspot, query="beta") == ["Bert"]


async def test_ten_thousand_results_can_be_paged_and_not_one_more() -> None:
    async with account() as hubspot:
        companies = [{"properties": {"name": f"c{number}"}} for number in range(10_050)]
        await hubspot.person("POST", "/import", {"companies": companies, "modified_at": "2026-01-01T00:00:00Z"})
        path = f"{OBJECTS}/companies/search"

        last = await hubspot.ask("POST", path, {"limit": 200, "after": "9800"})
        beyond = await hubspot.ask("POST", path, {"limit": 200, "after": "10000"})
        too_many = await hubspot.ask("POST", path, {"limit": 201})

        assert (last.status, last.body["total"], len(last.body["results"])) == (200, 10_050, 200)
        assert last.body["paging"]["next"]["after"] == "10000"
        assert len({one["properties"]["hs_lastmodifieddate"] for one in last.body["results"]}) == 1
        assert (beyond.status, too_many.status) == (400, 400)


async def test_the_index_shows_the_former_state_until_it_has_caught_up() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="old")
        await hubspot.person("POST", "/search", {"lag_ms": 60_000})
        await hubspot.person("PATCH", f"/records/contacts/{record_id}", {"properties": {"firstname": "new"}})
        await hubspot.made("contacts", firstname="newcomer")

        assert await found(hubspot) == ["old"]
        await hubspot.person("POST", "/clock", {"offset_ms": 61_000})
        assert await found(hubspot) == ["new", "newcomer"]


async def test_archived_records_are_never_found() -> None:
    async with account() as hubspot:
        await hubspot.person("DELETE", f"/records/contacts/{await hubspot.made('contacts', firstname='gone')}")

        assert await found(hubspot) == []


async def test_search_has_a_limit_of_its_own_and_sends_no_headers_about_it() -> None:
    async with account(search_per_s=2, rate_limit_per_10s=1) as hubspot:
        answers = [await hubspot.ask("POST", SEARCH, {}) for _ in range(3)]

        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].body["policyName"] == "SECONDLY"
        assert not [name for name in answers[0].headers if name.lower().startswith("x-hubspot-ratelimit")]
        assert (await hubspot.ask("GET", f"{OBJECTS}/contacts")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [{"filters": [rule("zip", "EQ", "1")]}] * 6},
        {"filterGroups": [{"filters": [rule("zip", "EQ", "1")] * 7}]},
        {"filterGroups": [{"filters": [rule("nope", "EQ", "1")]}]},
        {"filterGroups": [{"filters": [rule("zip", "LIKE", "1")]}]},
        {"query": "x" * 3000},
    ],
)
async def test_what_search_does_not_take_is_a_400(body: dict[str, Any]) -> None:
    async with account() as hubspot:
        await hubspot.made("contacts", firstname="a")

        assert (await hubspot.ask("POST", SEARCH, body)).status == 400
