"""When two spellings of a value mean the same, kind by kind."""

from __future__ import annotations

import pytest

from schemas.records import Kind
from services.canonical import canonical, country_text, domain_of, is_shared_mailbox, vat_is_valid


@pytest.mark.parametrize(
    "spelling",
    [
        "+43 (0)1 234 56 78",
        "0043 1/2345678",
        "01/2345678",
        "(01) 234 56 78",
        "+43-1-234\u201156\u00a078",
        "+4312345678",
    ],
)
def test_spellings_of_one_number_are_equal(spelling: str) -> None:
    assert canonical(Kind.PHONE, spelling) == "+4312345678"


@pytest.mark.parametrize(
    "spelling", ["01/2345678 DW 12", "01 2345678 Dw. 12", "01/2345678DW12", "+43 1 2345678 Durchwahl 12"]
)
def test_an_extension_is_kept_apart_from_its_number(spelling: str) -> None:
    assert canonical(Kind.PHONE, spelling) == "+4312345678;ext=12"


def test_two_extensions_of_one_number_differ() -> None:
    assert canonical(Kind.PHONE, "01/2345678 DW 12") != canonical(Kind.PHONE, "01/2345678 DW 13")


def test_a_number_without_prefix_belongs_to_the_country_of_its_record() -> None:
    assert canonical(Kind.PHONE, "030 123456", region="DE") == "+4930123456"
    assert canonical(Kind.PHONE, "030 123456", region="AT") == "+4330123456"


def test_abroad_is_dialled_with_two_zeros_even_where_a_country_dials_otherwise() -> None:
    assert canonical(Kind.PHONE, "0043 1 2345678", region="US") == "+4312345678"


def test_what_is_no_number_is_compared_as_it_stands() -> None:
    assert canonical(Kind.PHONE, " siehe  Zentrale ") == "siehe Zentrale"


@pytest.mark.parametrize(
    ("spelling", "iso"),
    [
        ("Österreich", "AT"),
        ("O\u0308sterreich", "AT"),
        ("oesterreich", "AT"),
        ("AUSTRIA", "AT"),
        ("A", "AT"),
        ("at", "AT"),
        ("Deutschland", "DE"),
        ("Germany", "DE"),
        ("D", "DE"),
        ("CH", "CH"),
        ("FL", "LI"),
        ("Großbritannien", "GB"),
        ("England", "GB"),
        ("UK", "GB"),
        ("United Kingdom", "GB"),
        ("USA", "US"),
        ("Vereinigte Staaten", "US"),
        ("Czechia", "CZ"),
        ("Czech Republic", "CZ"),
        ("Tschechien", "CZ"),
        ("Niederlande", "NL"),
        ("Slowenien", "SI"),
        ("SLO", "SI"),
    ],
)
def test_a_country_is_known_by_every_usual_name(spelling: str, iso: str) -> None:
    assert canonical(Kind.COUNTRY, spelling) == iso


@pytest.mark.parametrize("spelling", ["Wonderland", "EU", "Unknown", "ZZ", "?AT"])
def test_an_unknown_country_never_equals_a_known_one(spelling: str) -> None:
    assert canonical(Kind.COUNTRY, spelling).startswith("?")


def test_a_country_has_a_name_in_each_language() -> None:
    assert country_text("AT", "en") == "Austria"
    assert country_text("AT", "de") == "Österreich"


@pytest.mark.parametrize(
    "spelling",
    ["https://www.Example.AT/", "http://example.at", "example.at", "WWW.example.at/ ", "HTTP://example.at//"],
)
def test_one_website_has_many_spellings(spelling: str) -> None:
    assert canonical(Kind.URL, spelling) == "example.at"


def test_the_path_of_a_website_keeps_its_case() -> None:
    assert canonical(Kind.URL, "https://Example.at/Über-Uns/") == "example.at/Über-Uns"


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("https://www.x.de/a?b=c", "x.de"),
        ("x.de:8080", "x.de"),
        ("https://user@x.de/", "x.de"),
        ("", ""),
        ("https://", ""),
    ],
)
def test_the_domain_of_a_website(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_an_email_is_compared_in_lower_case_with_its_domain_in_punycode() -> None:
    assert canonical(Kind.EMAIL, " Max.Muster@Müller.AT ") == "max.muster@xn--mller-kva.at"
    assert canonical(Kind.EMAIL, "max.muster@xn--mller-kva.at") == "max.muster@xn--mller-kva.at"


def test_an_office_mailbox_is_nobodys_key() -> None:
    assert is_shared_mailbox("Office@example.at")
    assert not is_shared_mailbox("s.muster@example.at")


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        ("atu 1358 5627", "ATU13585627"),
        ("CHE-107.787.577 MWST", "CHE107787577"),
        ("CHE107787577TVA", "CHE107787577"),
        ("DE 136.695.976", "DE136695976"),
    ],
)
def test_a_vat_id_is_compared_without_separators_and_suffix(spelling: str, plain: str) -> None:
    assert canonical(Kind.VAT, spelling) == plain
    assert vat_is_valid(plain)


@pytest.mark.parametrize("number", ["ATU13585628", "DE136695977", "CHE107787578", "ATU1358562", "FANTASIE", ""])
def test_a_vat_id_with_a_wrong_check_digit_proves_nothing(number: str) -> None:
    assert not vat_is_valid(number)


@pytest.mark.parametrize(
    ("spelling", "key"),
    [("Herr", "herr"), ("Hr.", "herr"), ("Mr.", "herr"), ("FRAU", "frau"), ("Mrs", "frau"), ("Divers", "divers")],
)
def test_salutations_of_both_languages(spelling: str, key: str) -> None:
    assert canonical(Kind.SALUTATION, spelling) == key


def test_an_unknown_salutation_equals_only_itself() -> None:
    assert canonical(Kind.SALUTATION, "Familie") == "?familie"


def test_text_is_one_form_of_unicode_without_invisible_characters() -> None:
    assert canonical(Kind.TEXT, "  Mu\u0308ller\u00a0\u00a0&\u00ad So\u0308hne ") == "Müller & Söhne"


def test_text_keeps_its_case_and_an_option_its_spelling() -> None:
    assert canonical(Kind.TEXT, "huber") != canonical(Kind.TEXT, "Huber")
    assert canonical(Kind.OPTION, " A ") == "A"


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_is_nothing_in_every_kind(kind: Kind) -> None:
    assert canonical(kind, " \u00a0\u200b ") == ""
