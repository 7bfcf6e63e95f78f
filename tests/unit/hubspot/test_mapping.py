"""HubSpot's words and ours."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.fields import COMPANY_FIELDS, CONTACT_FIELDS
from schemas.records import EMPTY, PARENT_FIELD, FieldRule, FieldValue, ObjectType
from schemas.seen import Presence
from services.hubspot.mapping import property_of, returned_values, seen_of, time_ms, value_of, values_of

OURS = 99
COMPANY = {rule.name: rule for rule in COMPANY_FIELDS}
CONTACT = {rule.name: rule for rule in CONTACT_FIELDS}


def company(**properties: Any) -> dict[str, FieldValue]:
    return values_of(COMPANY_FIELDS, properties)


@pytest.mark.parametrize("raw", [{}, {"city": None}, {"city": ""}, {"city": " \u00a0"}])
def test_missing_and_null_and_empty_are_the_same(raw: dict[str, Any]) -> None:
    assert company(**raw)["city"] == EMPTY


def test_a_country_is_kept_as_its_code_and_written_in_english() -> None:
    country = company(country="Österreich")["country"]

    assert country == FieldValue("AT", "AT")
    assert property_of(COMPANY["country"], country) == "Austria"


@pytest.mark.parametrize(
    ("rule", "text"),
    [(COMPANY["country"], "Wonderland"), (CONTACT["salutation"], "Familie"), (COMPANY["segment"], "Z")],
)
def test_what_is_not_understood_keeps_its_text_and_may_not_travel(rule: FieldRule, text: str) -> None:
    value = value_of(rule, text, "AT")

    assert value.text == text
    assert value.canon.startswith("?")


def test_a_salutation_is_written_as_a_person_would() -> None:
    assert value_of(CONTACT["salutation"], "Mr.", "AT") == FieldValue("herr", "herr")
    assert property_of(CONTACT["salutation"], FieldValue("frau", "frau")) == "Frau"


def test_a_phone_number_belongs_to_the_country_of_its_record() -> None:
    assert company(phone="030 123456", country="Germany")["phone"].canon == "+4930123456"
    assert company(phone="01 2345678")["phone"].canon == "+4312345678"


def test_the_spelling_of_a_phone_number_is_kept() -> None:
    assert company(phone="+43 (0)1 / 234 56 78")["phone"].text == "+43 (0)1 / 234 56 78"


def test_an_empty_value_clears_the_property() -> None:
    assert property_of(COMPANY["country"], EMPTY) == ""
    assert property_of(COMPANY["city"], EMPTY) == ""


def test_the_company_of_a_person_is_no_value_but_a_raw_id() -> None:
    seen = seen_of({"id": "501", "properties": {"associatedcompanyid": "77"}}, ObjectType.CONTACT, CONTACT_FIELDS, OURS)

    assert PARENT_FIELD not in seen.values
    assert seen.parent_id == "77"


def test_a_record_is_dated_by_the_property_of_its_type() -> None:
    properties = {"lastmodifieddate": "2025-01-27T19:53:15.581Z", "hs_lastmodifieddate": "2020-01-01T00:00:00Z"}
    contact = seen_of({"id": "1", "properties": properties}, ObjectType.CONTACT, CONTACT_FIELDS, OURS)
    firm = seen_of({"id": "1", "properties": properties}, ObjectType.COMPANY, COMPANY_FIELDS, OURS)

    assert (contact.modified_ms, contact.edited_ms) == (1_738_007_595_581, 1_738_007_595_581)
    assert firm.modified_ms == 1_577_836_800_000


@pytest.mark.parametrize("text", ["2024-01-17T19:55:04Z", "2024-01-17T19:55:04.000Z", "1705521304000"])
def test_a_date_has_three_spellings(text: str) -> None:
    assert time_ms(text) == 1_705_521_304_000


def test_archived_and_merged_records_say_so() -> None:
    record = {"id": "9", "archived": True, "properties": {"hs_merged_object_ids": "51;1;1551", "falcana_id": "10482"}}
    seen = seen_of(record, ObjectType.COMPANY, COMPANY_FIELDS, OURS)

    assert seen.presence is Presence.ARCHIVED
    assert seen.absorbed_ids == ("51", "1", "1551")
    assert seen.marker == "10482"


def history(**entry: Any) -> list[dict[str, Any]]:
    return [{"value": "Max", "timestamp": "2024-02-25T15:52:36.931Z", **entry}]


@pytest.mark.parametrize(
    ("entry", "own"),
    [
        ({"sourceType": "INTEGRATION", "sourceId": "99"}, True),
        ({"sourceType": "INTEGRATION", "sourceId": "98"}, False),
        ({"sourceType": "CRM_UI", "sourceId": "userId:99"}, False),
        ({"sourceType": "API"}, False),
    ],
)
def test_an_entry_of_the_history_is_ours_only_with_our_app_id(entry: dict[str, Any], own: bool) -> None:
    record = {"id": "1", "properties": {}, "propertiesWithHistory": {"firstname": history(**entry)}}
    seen = seen_of(record, ObjectType.CONTACT, CONTACT_FIELDS, OURS)

    assert seen.history is not None
    assert [edit.own for edit in seen.history["first_name"]] == [own]


def test_a_history_is_newest_first_whatever_the_answer_is() -> None:
    entries = [
        {"value": "old", "timestamp": "2024-01-01T00:00:00Z", "sourceType": "CRM_UI"},
        {"value": "new", "timestamp": "2024-01-02T00:00:00Z", "sourceType": "CRM_UI"},
    ]
    record = {"id": "1", "properties": {}, "propertiesWithHistory": {"firstname": entries}}
    seen = seen_of(record, ObjectType.CONTACT, CONTACT_FIELDS, OURS)

    assert seen.history is not None
    assert [edit.value.text for edit in seen.history["first_name"]] == ["new", "old"]


def test_only_a_valid_vat_id_is_a_key() -> None:
    record = {"id": "1", "properties": {"falcana_uid": "ATU13585627", "domain": "example.at", "name": "Huber GmbH"}}
    seen = seen_of(record, ObjectType.COMPANY, COMPANY_FIELDS, OURS)
    wrong = seen_of({"id": "1", "properties": {"falcana_uid": "ATU13585628"}}, ObjectType.COMPANY, COMPANY_FIELDS, OURS)

    assert seen.keys == {"vat_id": "ATU13585627", "domain": "example.at", "name": "huber|gmbh"}
    assert wrong.keys == {}


def test_a_written_field_that_the_answer_does_not_show_is_left_out() -> None:
    sent = {"city": FieldValue("Wien", "Wien"), "street": FieldValue("Ring 1", "Ring 1")}

    assert set(returned_values(COMPANY_FIELDS, {"city": "Wien"}, sent)) == {"city"}


def test_what_the_system_made_of_a_value_counts_not_what_was_sent() -> None:
    sent = {"city": FieldValue("wien", "wien")}

    assert returned_values(COMPANY_FIELDS, {"city": "Wien"}, sent) == {"city": FieldValue("Wien", "Wien")}
    assert returned_values(COMPANY_FIELDS, {"city": None}, sent) == {"city": EMPTY}


def test_a_phone_number_in_an_answer_without_a_country_is_the_one_that_was_sent() -> None:
    sent = {"phone": FieldValue("030 123456", "+4930123456")}

    assert returned_values(COMPANY_FIELDS, {"phone": "030 123456"}, sent) == sent
