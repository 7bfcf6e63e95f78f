"""What holds for every text: comparing is stable, and nobody's spelling decides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Kind
from services.canonical import canonical, company_name_key, domain_of, fold

PIECES = [
    "+43",
    "0043",
    "(0)",
    "01",
    "/",
    "DW 12",
    "www.",
    "https://",
    "@",
    ".at",
    " ",
    "\u00a0",
    "\u00ad",
    "Ö",
    "o\u0308",
]
PIECES += ["GmbH", "& Co", "KG", "e. U.", "MWST", "CHE", "Austria", "Herr", "?", "ß", "İ", "℡", "000000"]
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join))
regions = st.sampled_from(["AT", "DE", "CH", "US", "IT"])


@pytest.mark.parametrize("kind", list(Kind))
@given(text=texts, region=regions)
def test_a_comparable_form_is_its_own_comparable_form(kind: Kind, text: str, region: str) -> None:
    once = canonical(kind, text, region=region)

    assert canonical(kind, once, region=region) == once


@pytest.mark.parametrize("kind", list(Kind))
@given(text=texts)
def test_blanks_around_a_value_never_matter(kind: Kind, text: str) -> None:
    assert canonical(kind, f" \u00a0{text}\t ") == canonical(kind, text)


@pytest.mark.parametrize("kind", list(Kind))
@given(text=texts)
def test_the_form_of_unicode_never_matters(kind: Kind, text: str) -> None:
    assert canonical(kind, unicodedata.normalize("NFD", text)) == canonical(kind, unicodedata.normalize("NFC", text))


@given(text=texts)
def test_a_country_is_a_code_or_says_that_it_is_unknown(text: str) -> None:
    form = canonical(Kind.COUNTRY, text)

    assert form == "" or form.startswith("?") or (len(form) == 2 and form.isupper())


@given(text=texts)
def test_a_salutation_is_a_key_or_says_that_it_is_unknown(text: str) -> None:
    form = canonical(Kind.SALUTATION, text)

    assert form in ("", "herr", "frau", "divers") or form.startswith("?")


@given(text=texts)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(text=texts)
def test_any_name_has_a_key_and_any_address_a_domain(text: str) -> None:
    assert "|" in company_name_key(text)
    assert "/" not in domain_of(text)
