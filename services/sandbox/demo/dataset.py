"""A believable Austrian data set, the same for the same seed. All names are invented, all domains are example domains.

A part of the companies and people exists in both systems, spelled differently, as it does in life.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, field
from typing import Any

FAMILIES = [
    "Gruber",
    "Huber",
    "Bauer",
    "Wagner",
    "Müller",
    "Pichler",
    "Steiner",
    "Moser",
    "Mayer",
    "Hofer",
    "Leitner",
    "Berger",
    "Fuchs",
    "Eder",
    "Fischer",
    "Schmid",
    "Winkler",
    "Weber",
    "Schwarz",
    "Maier",
    "Schneider",
    "Reiter",
    "Mayr",
    "Schmidt",
    "Wimmer",
    "Egger",
    "Brunner",
    "Lang",
    "Baumgartner",
    "Auer",
    "Binder",
    "Lechner",
    "Wolf",
    "Wallner",
    "Aigner",
    "Ebner",
    "Koller",
    "Lehner",
    "Haas",
    "Schuster",
    "Höller",
    "Größwang",
    "Jäger",
    "Köck",
    "Übelhör",
    "Strauß",
]
FIRST = {
    "frau": [
        "Sabine",
        "Eva",
        "Julia",
        "Katharina",
        "Anna",
        "Lena",
        "Barbara",
        "Elisabeth",
        "Christine",
        "Petra",
        "Martina",
        "Jasmin",
        "Zoë",
        "Käthe",
    ],
    "herr": [
        "Thomas",
        "Michael",
        "Andreas",
        "Wolfgang",
        "Peter",
        "Markus",
        "Josef",
        "Günther",
        "Jürgen",
        "Florian",
        "Lukas",
        "Franz",
        "Jörg",
        "Björn",
    ],
}
TRADES = [
    "Tischlerei",
    "Bäckerei",
    "Spenglerei",
    "Metallbau",
    "Elektrotechnik",
    "Weingut",
    "Druckerei",
    "Gärtnerei",
    "Möbelhaus",
    "Steuerberatung",
    "Fensterbau",
    "Brauerei",
    "Installationen",
    "Zimmerei",
    "Fahrräder",
    "Küchenstudio",
]
FORMS = ("GmbH", "Ges.m.b.H.", "KG", "OG", "e.U.", "AG", "GmbH & Co KG")
PLACES = (
    ("1040", "Wien", "Wien", "1"), ("8010", "Graz", "Steiermark", "316"), ("4020", "Linz", "Oberösterreich", "732"),
    ("5020", "Salzburg", "Salzburg", "662"), ("6020", "Innsbruck", "Tirol", "512"), ("9020", "Klagenfurt", "Kärnten",
    "463"), ("3100", "St. Pölten", "Niederösterreich", "2742"), ("7000", "Eisenstadt", "Burgenland", "2682"),
)  # fmt: skip
STREETS = ("Wiener Hauptstraße", "Bahnhofstraße", "Kirchengasse", "Hauptplatz", "Am Mühlbach", "Sankt-Veiter-Straße")
POSITIONS = ("Geschäftsführung", "Leitung Einkauf", "Vertrieb", "Buchhaltung", "Assistenz", "Lehrling")
TITLES = ("", "", "", "Mag.", "Dr.", "DI", "Ing.")
PRIVATE_EVERY = 25


@dataclass
class DataSet:
    """What is loaded into the two sandboxes; people name their company by its place in the list."""

    adressen: list[dict[str, Any]] = field(default_factory=list)
    ansprechpartner: list[dict[str, Any]] = field(default_factory=list)
    companies: list[dict[str, Any]] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    shared_companies: int = 0
    shared_people: int = 0


def make(seed: int = 1, adressen: int = 220, ansprechpartner: int = 320, only_hubspot: int = 60) -> DataSet:
    """The data set of a seed."""
    rng = random.Random(seed)
    made = DataSet()
    shared: dict[int, int] = {}
    for number in range(adressen):
        address = _address(rng, number)
        made.adressen.append(address)
        if address["adressart"] != "privatperson" and rng.random() < 0.4:
            shared[number] = len(made.companies)
            made.companies.append(_as_company(rng, address))
    made.shared_companies = len(made.companies)
    _people(rng, made, ansprechpartner, shared)
    made.shared_people = len(made.contacts)
    _only_in_hubspot(rng, made, only_hubspot)
    return made


def _address(rng: random.Random, number: int) -> dict[str, Any]:
    family, place = rng.choice(FAMILIES), rng.choice(PLACES)
    slug = f"{ascii_of(family)}{number}"
    address: dict[str, Any] = {
        "strasse": f"{rng.choice(STREETS)} {rng.randrange(1, 90)}",
        "plz": place[0],
        "ort": place[1],
        "bundesland": place[2],
        "land": "AT",
        "telefon": f"+43 {place[3]} {rng.randrange(10_000, 99_999)}{number:03d}",
    }
    if number % PRIVATE_EVERY == PRIVATE_EVERY - 1:
        return address | {"adressart": "privatperson", "name1": f"{rng.choice(FIRST['frau'])} {family}"}
    trade = rng.choice(TRADES)
    kind = "verein" if number % 30 == 7 else "firma"
    name = f"{trade}verein {family} {number}" if kind == "verein" else f"{trade} {family} {number} {rng.choice(FORMS)}"
    extra = {"uid_nummer": _vat(rng)} if rng.random() < 0.5 else {}
    segment = {"individualfelder": {"segment": rng.choice("ABC")}} if rng.random() < 0.6 else {}
    return address | extra | segment | {"adressart": kind, "name1": name, "website": f"https://www.{slug}.example.com"}


def _vat(rng: random.Random) -> str:
    """An Austrian UID-Nummer with a valid check digit."""
    digits = [rng.randrange(10) for _ in range(7)]
    total = sum(d if place % 2 == 0 else sum(divmod(d * 2, 10)) for place, d in enumerate(digits))
    return f"ATU{''.join(map(str, digits))}{(96 - total) % 10}"


def _as_company(rng: random.Random, address: dict[str, Any]) -> dict[str, Any]:
    """The same company as a HubSpot user typed it."""
    company = {
        "name": address["name1"],
        "website": str(address["website"]).removeprefix("https://www."),
        "phone": respelled(rng, address["telefon"]),
        "address": address["strasse"],
        "zip": address["plz"],
        "city": address["ort"],
        "state": address["bundesland"],
        "country": rng.choice(("Austria", "Österreich", "AT")),
    }
    if address.get("uid_nummer"):
        company["falcana_uid"] = f"{address['uid_nummer'][:3]} {address['uid_nummer'][3:]}"
    return company


def respelled(rng: random.Random, phone: str) -> str:
    """The same number in another spelling."""
    area, _, number = phone.removeprefix("+43 ").partition(" ")
    return str(
        rng.choice((f"0{area}/{number}", f"0043 {area} {number}", f"+43 (0){area} {number}", f"0{area} {number}"))
    )


def _people(rng: random.Random, made: DataSet, count: int, shared: dict[int, int]) -> None:
    private = [place for place, one in enumerate(made.adressen) if one["adressart"] == "privatperson"]
    firms = [place for place in range(len(made.adressen)) if place not in private]
    for number in range(count):
        place = private[number] if number < len(private) else rng.choice(firms)
        person = _person(rng, number, made.adressen[place])
        made.ansprechpartner.append({**person, "adresse": place})
        if place in shared and person.get("email") and rng.random() < 0.7:
            made.contacts.append(_as_contact(rng, person) | {"company": shared[place]})


def _person(rng: random.Random, number: int, address: dict[str, Any]) -> dict[str, Any]:
    salutation = rng.choice(("frau", "herr"))
    first, family = rng.choice(FIRST[salutation]), rng.choice(FAMILIES)
    if address["adressart"] == "privatperson":
        first, _, family = address["name1"].partition(" ")
    person = {
        "anrede": salutation,
        "titel": rng.choice(TITLES),
        "vorname": first,
        "nachname": family,
        "position": rng.choice(POSITIONS),
        "telefon": f"{address['telefon']}-{number % 90 + 10}",
        "mobil": f"0664 {rng.randrange(1_000_000, 9_999_999)}",
    }
    if rng.random() < 0.8:
        person["email"] = f"{ascii_of(first)}.{ascii_of(family)}{number}@example.com"
    return person


def _as_contact(rng: random.Random, person: dict[str, Any]) -> dict[str, Any]:
    return {
        "salutation": {"frau": "Frau", "herr": rng.choice(("Herr", "Mr."))}[person["anrede"]],
        "firstname": person["vorname"],
        "lastname": person["nachname"],
        "email": person["email"],
        "mobilephone": person["mobil"].replace("0664 ", "+43 664 "),
        "jobtitle": person["position"],
    }


def _only_in_hubspot(rng: random.Random, made: DataSet, count: int) -> None:
    for number in range(count):
        address = _address(rng, 1001 + number * PRIVATE_EVERY)
        place = len(made.companies)
        made.companies.append(_as_company(rng, address))
        for more in range(2 if number % 2 else 1):
            person = _person(rng, 5000 + number * 3 + more, address)
            person["email"] = person.get("email", f"kontakt{number}{more}@example.com")
            made.contacts.append(_as_contact(rng, person) | ({} if number % 15 == 14 and more else {"company": place}))


def ascii_of(text: str) -> str:
    """A name as it stands in an address on the net."""
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        text = text.lower().replace(umlaut, written)
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
