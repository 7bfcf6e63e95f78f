"""Definitions of properties, and what they make of values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, Account, account

PATH = "/crm/properties/2026-09/companies"


def definition(name: str, type_: str = "string", field_type: str = "text", **more: Any) -> dict[str, Any]:
    base = {"name": name, "label": name, "type": type_, "fieldType": field_type, "groupName": "companyinformation"}
    return {**base, **more}


def options(*values: str) -> list[dict[str, Any]]:
    return [{"label": value, "value": value, "displayOrder": -1, "hidden": False} for value in values]


async def define(hubspot: Account, body: dict[str, Any]) -> None:
    answer = await hubspot.ask("POST", PATH, body)
    assert answer.status == 201, answer.body


async def test_a_defined_property_can_be_read_and_not_defined_twice() -> None:
    async with account() as hubspot:
        await define(hubspot, definition("segment", "enumeration", "select", options=options("A", "B")))

        shown = await hubspot.ask("GET", f"{PATH}/segment")
        again = await hubspot.ask("POST", PATH, definition("segment"))

        assert [one["value"] for one in shown.body["options"]] == ["A", "B"]
        assert shown.body["modificationMetadata"]["readOnlyValue"] is False
        assert (again.status, again.body["category"]) == (409, "OBJECT_ALREADY_EXISTS")
        assert again.body["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"
        assert (await hubspot.ask("GET", f"{PATH}/nope")).status == 404


async def test_built_in_properties_say_what_may_be_written() -> None:
    async with account() as hubspot:
        listed = (await hubspot.ask("GET", "/crm/v3/properties/contacts")).body["results"]
        by_name = {one["name"]: one for one in listed}

        assert by_name["associatedcompanyid"]["calculated"] is True
        assert by_name["lastmodifieddate"]["modificationMetadata"]["readOnlyValue"] is True
        assert by_name["hubspot_owner_id"]["externalOptions"] is True
        assert by_name["hubspot_owner_id"]["options"] == []
        assert by_name["email"]["hubspotDefined"] is True


async def test_an_archived_property_comes_back_as_it_was() -> None:
    async with account() as hubspot:
        await define(hubspot, definition("extra", label="First"))
        assert (await hubspot.ask("DELETE", f"{PATH}/extra")).status == 204

        again = await hubspot.ask("POST", PATH, definition("extra", label="Second"))

        assert (again.status, again.body["label"]) == (201, "First")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        definition("x", "number", "text"),
        definition("x", groupName="nope"),
        definition("x", "enumeration", "select", options=[{"label": "A", "value": "a"}]),
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    async with account() as hubspot:
        assert (await hubspot.ask("POST", PATH, body)).status == 400


async def test_at_most_ten_properties_are_unique() -> None:
    async with account() as hubspot:
        answers = [
            await hubspot.ask("POST", PATH, definition(f"u{number}", hasUniqueValue=True)) for number in range(11)
        ]

        assert [answer.status for answer in answers] == [201] * 10 + [400]


async def test_a_unique_value_belongs_to_one_record() -> None:
    async with account() as hubspot:
        await hubspot.unique("companies")
        holder = await hubspot.made("companies", name="A", falcana_id="F1")
        body = {"properties": {"name": "B", "falcana_id": "F1"}}

        answer = await hubspot.ask("POST", f"{OBJECTS}/companies", body)
        await hubspot.person("DELETE", f"/records/companies/{holder}")

        assert answer.status == 400
        assert answer.body["message"].endswith(f"{holder} already has that value.")
        assert (await hubspot.ask("POST", f"{OBJECTS}/companies", body)).status == 201


async def test_a_group_is_made_once() -> None:
    async with account() as hubspot:
        body = {"name": "falcana", "label": "falcana"}

        assert [(await hubspot.ask("POST", f"{PATH}/groups", body)).status for _ in range(2)] == [201, 409]
        assert (await hubspot.ask("GET", f"{PATH}/groups/falcana")).body["label"] == "falcana"
        assert (await hubspot.ask("POST", PATH, definition("x", groupName="falcana"))).status == 201


@pytest.mark.parametrize(
    ("type_", "field_type", "written", "read"),
    [
        ("date", "date", "2026-05-04", "2026-05-04"),
        ("date", "date", 1_777_852_800_000, "2026-05-04"),
        ("datetime", "date", "2026-05-04T12:00:00+02:00", "2026-05-04T10:00:00Z"),
        ("datetime", "date", "1777889000123", "2026-05-04T10:03:20.123Z"),
        ("bool", "booleancheckbox", True, "true"),
        ("number", "number", 12.5, "12.5"),
        ("string", "text", "  text ", "text"),
    ],
)
async def test_a_value_is_stored_in_one_spelling(type_: str, field_type: str, written: Any, read: str) -> None:
    async with account() as hubspot:
        more = {"options": options("true", "false")} if type_ == "bool" else {}
        await define(hubspot, definition("x", type_, field_type, **more))

        made = await hubspot.ask("POST", f"{OBJECTS}/companies", {"properties": {"name": "A", "x": written}})

        assert made.body["properties"]["x"] == read


@pytest.mark.parametrize(
    ("type_", "field_type", "value", "code"),
    [
        ("date", "date", "1777896000123", "INVALID_DATE"),
        ("datetime", "date", "soon", "INVALID_LONG"),
        ("number", "number", "1,5", "INVALID_INTEGER"),
        ("bool", "booleancheckbox", "ja", "INVALID_OPTION"),
        ("enumeration", "select", "a", "INVALID_OPTION"),
        ("enumeration", "select", " A", "INVALID_OPTION"),
    ],
)
async def test_a_value_of_the_wrong_kind_is_refused(type_: str, field_type: str, value: str, code: str) -> None:
    async with account() as hubspot:
        await define(hubspot, definition("x", type_, field_type, options=options("A", "true", "false")))

        answer = await hubspot.ask("POST", f"{OBJECTS}/companies", {"properties": {"name": "A", "x": value}})

        assert (answer.status, answer.body["errors"][0]["code"]) == (400, code)


async def test_several_choices_are_replaced_or_appended() -> None:
    async with account() as hubspot:
        await define(hubspot, definition("x", "enumeration", "checkbox", options=options("A", "B", "C")))
        record_id = await hubspot.made("companies", name="A", x="A;B")
        seen = []
        for value in (";C", "B"):
            await hubspot.ask("PATCH", f"{OBJECTS}/companies/{record_id}", {"properties": {"x": value}})
            seen.append((await hubspot.read("companies", record_id, properties="x"))["properties"]["x"])

        assert seen == ["A;B;C", "B"]
