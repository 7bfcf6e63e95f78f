"""When two spellings mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Kind
from services.canonical import canonical, company_name_key, country_text, domain_of, person_name_key, vat_is_valid


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.PHONE, "+43 (0)1 234 56 78", "0043 1/2345678"),
        (Kind.PHONE, "01/2345678 DW 12", "+43 1 2345678 ext. 12"),
        (Kind.PHONE, "0664 123 45 67", "+43-664-1234567"),
        (Kind.COUNTRY, "Österreich", "Austria"),
        (Kind.COUNTRY, "AT", "A"),
        (Kind.COUNTRY, "Tschechien", "Czech Republic"),
        (Kind.COUNTRY, "USA", "Vereinigte Staaten"),
        (Kind.URL, "https://www.example.at/", "example.at"),
        (Kind.EMAIL, "Max@Example.COM", "max@example.com"),
        (Kind.EMAIL, "max@müller.example", "max@xn--mller-kva.example"),
        (Kind.VAT, "ATU 135 85.627", "atu13585627"),
        (Kind.VAT, "CHE-107.787.577 MWST", "CHE107787577"),
        (Kind.SALUTATION, "Hr.", "Mr"),
        (Kind.TEXT, "Müller", "Mu\u0308ller"),
        (Kind.TEXT, "EDV\u2011Dienst\u00a0Graz ", "EDV-Dienst Graz"),
    ],
)
def test_two_spellings_of_the_same_thing_are_equal(kind: Kind, one: str, other: str) -> None:
    assert canonical(kind, one) == canonical(kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.PHONE, "+43 1 2345678", "+49 1 2345678"),
        (Kind.PHONE, "+43 1 2345678", "+43 1 2345678 DW 12"),
        (Kind.COUNTRY, "Narnia", "Mordor"),
        (Kind.TEXT, "Graz", "graz"),
        (Kind.VAT, "ATU13585627", "ATU13585628"),
    ],
)
def test_different_things_stay_different(kind: Kind, one: str, other: str) -> None:
    assert canonical(kind, one) != canonical(kind, other)


@given(st.sampled_from(list(Kind)), st.text(max_size=40))
def test_the_comparable_form_is_a_fixpoint(kind: Kind, text: str) -> None:
    once = canonical(kind, text)
    assert canonical(kind, once) == once


@pytest.mark.parametrize("text", ["Narnia", "Atlantis"])
def test_an_unknown_country_may_not_travel(text: str) -> None:
    assert canonical(Kind.COUNTRY, text).startswith("?")


def test_a_phone_number_without_prefix_belongs_to_the_country_of_its_record() -> None:
    assert canonical(Kind.PHONE, "089 123456", region="DE") == "+4989123456"


@pytest.mark.parametrize(("vat", "valid"), [("ATU13585627", True), ("DE136695976", True), ("CHE107787577", True)])
def test_check_digits_are_checked(vat: str, valid: bool) -> None:
    assert vat_is_valid(vat) is valid
    assert vat_is_valid(vat[:-1] + str((int(vat[-1]) + 1) % 10)) is False


def test_legal_forms_are_one_spelling_and_never_dropped() -> None:
    assert company_name_key("Müller & Söhne Gesellschaft m.b.H.") == company_name_key("Mueller und Soehne GmbH")
    assert company_name_key("Huber GmbH") != company_name_key("Huber KG")
    assert company_name_key("Bauer GmbH") != company_name_key("Baur GmbH")
    assert company_name_key("Software AG").startswith("software")


def test_degrees_are_no_part_of_a_name() -> None:
    assert person_name_key("Mag. Eva", "Strauß, MBA") == person_name_key("Eva", "Strauss")


def test_names_of_countries_are_written_in_the_language_of_the_system() -> None:
    assert (country_text("AT", "en"), country_text("AT", "de")) == ("Austria", "Österreich")


def test_the_domain_of_an_address_has_no_decoration() -> None:
    assert domain_of("https://www.x.example.com:80/a?b") == "x.example.com"
