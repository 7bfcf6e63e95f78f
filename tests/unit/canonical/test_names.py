"""When two names mean the same company or person. Precision first: a wrong match does more harm than a missed one."""

from __future__ import annotations

import pytest

from services.canonical import company_core, company_name_key, legal_form, person_name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller & Söhne Gesellschaft m.b.H.", "Mueller u. Söhne GmbH"),
        ("Huber Ges.m.b.H.", "HUBER GesmbH"),
        ("Huber e. U.", "Huber e.U."),
        ("Huber GmbH & Co. KG", "Huber GmbH u. Co KG"),
        ("Huber GmbH & Co KG", "Huber GmbH & CoKG"),
        ("Gewußt wie Drogerie e. Gen.", "Gewusst wie Drogerie eGen"),
        ("Cards & Systems EDV\u2011Dienstleistungs GmbH", "Cards & Systems EDV-Dienstleistungs GmbH"),
        ("Rossi Sàrl", "Rossi S.à.r.l."),
        ("Start UG (haftungsbeschränkt)", "Start UG"),
        ("Huber, GmbH", "Huber (GmbH)"),
    ],
)
def test_one_company_in_two_spellings(one: str, other: str) -> None:
    assert company_name_key(one) == company_name_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Huber GmbH", "Huber KG"),
        ("Huber GmbH", "Huber gGmbH"),
        ("Huber GmbH", "Huber GmbH & Co KG"),
        ("Software AG", "falcana Software GmbH"),
        ("Software AG", "Software GmbH"),
        ("Biogen AG", "Biogena AG"),
        ("Berger GmbH", "Wienerberger GmbH"),
        ("Bauer GmbH", "Baur GmbH"),
        ("Wolf AG", "Wolford AG"),
        ("Österreichische Post AG", "Deutsche Post AG"),
        ("Huber", "Huber GmbH"),
    ],
)
def test_different_companies_stay_apart(one: str, other: str) -> None:
    assert company_name_key(one) != company_name_key(other)


@pytest.mark.parametrize(
    ("name", "core", "form"),
    [
        ("Software AG", "software", "ag"),
        ("Maier u. Söhne OG", "maier und soehne", "og"),
        ("Kanzlei Muster PartG mbB", "kanzlei muster", "partg mbb"),
        ("Neu FlexCo", "neu", "flexkapg"),
        ("Brunnen Esse", "brunnen esse", ""),
        ("Rotes Kreuz", "rotes kreuz", ""),
    ],
)
def test_the_legal_form_stands_at_the_end_and_only_there(name: str, core: str, form: str) -> None:
    assert (company_core(name), legal_form(name)) == (core, form)


@pytest.mark.parametrize("name", ["AG", "GmbH", "KG GmbH", "SE"])
def test_a_name_never_becomes_empty(name: str) -> None:
    assert company_core(name)


def test_a_person_is_known_without_degrees() -> None:
    assert person_name_key("Dr. Max", "Muster, MSc") == person_name_key("Max", "Muster")
    assert person_name_key("Anna", "Huber-Maier") == person_name_key("Anna", "Huber Maier")


def test_a_name_that_looks_like_a_degree_is_kept() -> None:
    assert person_name_key("Li", "Ma") != person_name_key("Li", "Ba")
