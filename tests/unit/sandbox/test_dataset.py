"""The demo's data set: believable, the same for a seed, and hard enough to recognise."""

from __future__ import annotations

from schemas.records import Kind
from services.canonical import canonical, company_name_key, domain_of, vat_is_valid
from services.sandbox.demo.dataset import make


def test_the_same_seed_makes_the_same_data() -> None:
    assert make(7) == make(7)
    assert make(7) != make(8)


def test_a_few_hundred_records_of_every_kind() -> None:
    made = make()
    kinds = {address["adressart"] for address in made.adressen}
    assert kinds == {"firma", "verein", "privatperson"}
    assert len(made.adressen) + len(made.ansprechpartner) > 500
    assert made.shared_companies < len(made.companies)
    assert made.shared_people < len(made.contacts)


def test_shared_companies_are_spelled_differently_and_can_be_recognised() -> None:
    made = make()
    by_domain = {domain_of(one["website"]): one for one in made.adressen if one.get("website")}
    respelled = 0
    for company in made.companies[: made.shared_companies]:
        address = by_domain[domain_of(company["website"])]
        assert company_name_key(company["name"]) == company_name_key(address["name1"])
        assert canonical(Kind.PHONE, company["phone"]) == canonical(Kind.PHONE, address["telefon"])
        respelled += company["phone"] != address["telefon"]
    assert respelled > made.shared_companies / 2


def test_every_uid_has_a_valid_check_digit_and_every_e_mail_is_an_example() -> None:
    made = make()
    assert all(vat_is_valid(one["uid_nummer"]) for one in made.adressen if one.get("uid_nummer"))
    emails = [one["email"] for one in (*made.ansprechpartner, *made.contacts) if one.get("email")]
    assert all(email.endswith("@example.com") for email in emails)
    assert len({one["email"] for one in made.contacts}) == len(made.contacts)
