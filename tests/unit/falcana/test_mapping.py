"""falcana's words and ours."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.fields import COMPANY_FIELDS, CONTACT_FIELDS
from schemas.records import EMPTY, PARENT_FIELD, FieldValue, ObjectType
from schemas.seen import SideSeen
from services.falcana.mapping import body_of, returned_values, seen_of, values_of
from services.falcana.wire import comma_lists

USER = {"typ": "user", "id": 7}
INTERFACE = {"typ": "schnittstelle", "id": 900}
T1, T2, T3 = "2024-05-07T10:00:00.100Z", "2024-05-07T10:00:00.200Z", "2024-05-07T10:00:00.300Z"
MS1, MS2, MS3 = 1_715_076_000_100, 1_715_076_000_200, 1_715_076_000_300


def adresse(**fields: Any) -> SideSeen:
    record = {"id": 10482, "version": 12, "geaendert_am": T3, "erstellt_am": T1, "geaendert_durch": USER, **fields}
    return seen_of(record, ObjectType.COMPANY, COMPANY_FIELDS)


@pytest.mark.parametrize("raw", [{}, {"ort": None}, {"ort": ""}])
def test_missing_and_null_and_empty_are_the_same(raw: dict[str, Any]) -> None:
    assert values_of(COMPANY_FIELDS, raw)["city"] == EMPTY


def test_ids_are_text_on_our_side() -> None:
    assert adresse().record_id == "10482"


def test_a_country_is_a_code_on_both_sides_of_the_wire() -> None:
    assert adresse(land="AT").values["country"] == FieldValue("AT", "AT")
    assert body_of(COMPANY_FIELDS, {"country": FieldValue("AT", "AT")}) == {"land": "AT"}


def test_an_individualfeld_is_read_and_written_by_its_key() -> None:
    assert adresse(individualfelder={"segment": "A"}).values["segment"] == FieldValue("A", "A")
    assert body_of(COMPANY_FIELDS, {"segment": FieldValue("B", "B")}) == {"individualfelder": {"segment": "B"}}


def test_an_unknown_option_keeps_its_text_and_may_not_travel() -> None:
    assert adresse(individualfelder={"segment": "Z"}).values["segment"] == FieldValue("Z", "?Z")


def test_clearing_is_empty_text_and_null_for_an_individualfeld() -> None:
    assert body_of(COMPANY_FIELDS, {"city": EMPTY, "segment": EMPTY}) == {
        "ort": "",
        "individualfelder": {"segment": None},
    }


def test_a_salutation_is_written_as_its_key() -> None:
    assert body_of(CONTACT_FIELDS, {"salutation": FieldValue("Frau", "frau")}) == {"anrede": "frau"}


def test_a_postcode_keeps_its_leading_zero() -> None:
    assert adresse(plz="01067").values["postcode"].text == "01067"


def test_the_edit_of_a_person_dates_the_record() -> None:
    assert adresse().edited_ms == MS3


def test_after_an_own_write_the_newest_foreign_field_time_dates_the_record() -> None:
    times = {
        "telefon": {"zeit": T2, "durch": "user"},
        "ort": {"zeit": T3, "durch": "schnittstelle"},
        "strasse": {"zeit": T1, "durch": "import"},
    }

    assert adresse(geaendert_durch=INTERFACE, feld_zeiten=times).edited_ms == MS2


def test_a_record_that_only_we_ever_wrote_is_as_old_as_its_creation() -> None:
    times = {"ort": {"zeit": T3, "durch": "schnittstelle"}}

    assert adresse(geaendert_durch=INTERFACE, feld_zeiten=times).edited_ms == MS1


def test_field_times_carry_our_names_and_tell_own_writes() -> None:
    times = {
        "telefon": {"zeit": T2, "durch": "user"},
        "individualfelder.segment": {"zeit": T3, "durch": "schnittstelle"},
    }
    seen = adresse(feld_zeiten=times)

    assert {name: (one.time_ms, one.own) for name, one in seen.field_times.items()} == {
        "phone": (MS2, False),
        "segment": (MS3, True),
    }


def test_a_privatperson_is_a_holder_and_never_a_company() -> None:
    assert adresse(adressart="privatperson").holder
    assert not adresse(adressart="firma").holder


def test_the_company_of_a_person_is_no_value_but_a_raw_id() -> None:
    seen = seen_of({"id": 55012, "adresse_id": 10482}, ObjectType.CONTACT, CONTACT_FIELDS)

    assert PARENT_FIELD not in seen.values
    assert seen.parent_id == "10482"


def test_an_answer_with_id_and_version_alone_says_nothing_of_the_fields() -> None:
    sent = {"city": FieldValue("Wien", "Wien"), "segment": FieldValue("A", "A")}

    assert returned_values(COMPANY_FIELDS, {"id": 10482, "version": 13}, sent) == {}


def test_an_answer_counts_and_not_what_was_sent() -> None:
    sent = {"city": FieldValue("wien", "wien"), "segment": FieldValue("A", "A")}
    record = {"ort": "Wien", "individualfelder": {"segment": None}}

    assert returned_values(COMPANY_FIELDS, record, sent) == {"city": FieldValue("Wien", "Wien"), "segment": EMPTY}


def test_a_phone_number_in_an_answer_without_a_country_is_the_one_that_was_sent() -> None:
    sent = {"phone": FieldValue("030 123456", "+4930123456")}

    assert returned_values(COMPANY_FIELDS, {"telefon": "030 123456"}, sent) == sent


def test_comma_lists_stay_short_enough_for_a_url_and_lose_nothing() -> None:
    values = [f"{'x' * 100}{number}@example.at" for number in range(100)]
    lists = list(comma_lists(values, 100))

    assert [one for text in lists for one in text.split(",")] == values
    assert max(len(text) for text in lists) <= 3000
