"""Do both sandboxes agree? Compared in the demo's own words, so that the product cannot be right by its own mistake."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from services.sandbox.demo.people import Both

COMPANY = {
    "name": "name1", "address": "strasse", "address2": "adresszusatz", "zip": "plz", "city": "ort",
    "state": "bundesland",
    "country": "land", "phone": "telefon", "website": "website",
    "falcana_uid": "uid_nummer",
    "falcana_segment": "individualfelder.segment", "falcana_kundennummer": "kundennummer",
}  # fmt: skip
CONTACT = {
    "salutation": "anrede", "falcana_titel": "titel", "falcana_titel_nach": "titel_nachgestellt",
    "firstname": "vorname",
    "lastname": "nachname", "jobtitle": "position", "falcana_abteilung": "abteilung", "phone": "telefon",
    "mobilephone": "mobil", "fax": "fax", "email": "email",
}  # fmt: skip
PHONES = {"phone", "mobilephone", "fax"}
COUNTRIES = {"austria": "at", "österreich": "at", "germany": "de", "deutschland": "de", "at": "at", "de": "de"}
SALUTATIONS = {"frau": "frau", "herr": "herr", "mr.": "herr", "mr": "herr", "ms.": "frau"}


def plain(name: str, value: Any) -> str:
    """A value so that two spellings of the same thing are equal."""
    text = str(value or "").strip()
    if name in PHONES:
        digits = re.sub(r"\D", "", re.sub(r"\(0\)", "", text))
        return re.sub(r"^(0043|43|0)", "", digits)
    if name == "country":
        return COUNTRIES.get(text.lower(), text)
    if name == "salutation":
        return SALUTATIONS.get(text.lower(), text)
    if name == "website":
        return re.sub(r"^(https?://)?(www\.)?", "", text.lower()).rstrip("/")
    if name == "email":
        return text.lower()
    return re.sub(r"\s", "", text) if name == "falcana_uid" else text


def _wire(record: dict[str, Any], name: str) -> Any:
    if name.startswith("individualfelder."):
        return record["individualfelder"].get(name.removeprefix("individualfelder."))
    return record.get(name)


async def disagreements(both: Both) -> list[str]:
    """One line for every mapped field that differs, every relation that differs, and every duplicate."""
    companies, contacts = await both.hubspot.all("companies"), await both.hubspot.all("contacts")
    adressen, people = await both.falcana.all("adressen"), await both.falcana.all("ansprechpartner")
    lines = _pairs(companies, adressen, "hubspot_unternehmen_id", COMPANY)
    lines += _pairs(contacts, people, "hubspot_kontakt_id", CONTACT)
    lines += _relations(companies, contacts, adressen, people)
    for kind, records in (("companies", companies), ("contacts", contacts)):
        counted = Counter(one.get("falcana_id") for one in records if one.get("falcana_id"))
        lines += [f"{kind}: falcana id {one} stands {n} times" for one, n in counted.items() if n > 1]
    for key, records in (("hubspot_unternehmen_id", adressen), ("hubspot_kontakt_id", people)):
        counted = Counter(one["individualfelder"].get(key) for one in records if one["individualfelder"].get(key))
        lines += [f"falcana: HubSpot id {one} stands {n} times" for one, n in counted.items() if n > 1]
    return lines


def _pairs(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], key: str, fields: dict[str, str]) -> list[str]:
    by_id = {one["id"]: one for one in ours}
    lines = []
    for record in theirs:
        other = by_id.get(record["individualfelder"].get(key) or "")
        if other is None:
            continue
        for name, wire in fields.items():
            here, there = plain(name, _wire(record, wire)), plain(name, other.get(name))
            if here != there:
                lines.append(f"{other['id']} {name}: HubSpot {there!r}, falcana {here!r}")
    return lines


def _relations(
    companies: list[dict[str, Any]],
    contacts: list[dict[str, Any]],
    adressen: list[dict[str, Any]],
    people: list[dict[str, Any]],
) -> list[str]:
    """Every person stands under the same company in both systems; a Privatperson Adresse is no company."""
    active = {one["id"] for one in companies}
    company_of = {
        one["id"]: one["individualfelder"].get("hubspot_unternehmen_id")
        for one in adressen
        if one["adressart"] != "privatperson"
    }
    by_id = {one["id"]: one for one in contacts}
    lines = []
    for person in people:
        contact = by_id.get(person["individualfelder"].get("hubspot_kontakt_id") or "")
        expected = company_of.get(person["adresse_id"])
        if contact is None or (expected and expected not in active):
            continue
        if (contact.get("primaryCompanyId") or None) != (expected or None):
            lines.append(f"{contact['id']} company: HubSpot {contact.get('primaryCompanyId')}, falcana {expected}")
    return lines
