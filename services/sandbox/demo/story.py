"""The scripted story of ``./demo --check``: what must be true when an edit travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.sandbox.demo.agreement import disagreements
from services.sandbox.demo.people import Both
from services.sandbox.demo.steps import Story

CLOCK_STEP_MS = 30_000


@dataclass
class Pair:
    """A record in both systems."""

    hubspot: str
    falcana: str


class Script:
    """All chapters, on the two people and the story's table."""

    def __init__(self, both: Both, story: Story, poll_every_s: float) -> None:
        self.both, self.story, self.poll_every_s = both, story, poll_every_s

    async def tell(self) -> None:
        """Every chapter in order."""
        for chapter in (
            self.creates,
            self.edits,
            self.moves,
            self.at_the_same_moment,
            self.races,
            self.bad_deliveries,
            self.deletes_in_hubspot,
            self.merge,
            self.deletes_in_falcana,
            self.in_the_end,
        ):
            await chapter()

    async def company(self, name: str, **fields: Any) -> Pair:
        """A company that exists in both systems."""
        hubspot = await self.both.hubspot.create("companies", {"name": name, "city": "Wien", **fields})
        partner = await self.story.wait_for(lambda: self.both.partner_of_company(hubspot))
        return Pair(hubspot, str(partner["id"]))

    async def person(self, company: Pair, last: str) -> Pair:
        """A person of a company in both systems."""
        fields = {"firstname": "Demo", "lastname": last, "email": f"{last.lower()}@story.example.com"}
        hubspot = await self.both.hubspot.create("contacts", fields, companyId=company.hubspot)
        partner = await self.story.wait_for(lambda: self.both.partner_of_contact(hubspot))
        return Pair(hubspot, str(partner["id"]))

    async def field(self, system: str, kind: str, record_id: str, name: str) -> Any:
        """One field of one record, empty text for nothing."""
        person = self.both.hubspot if system == "hubspot" else self.both.falcana
        return (await person.show(kind, record_id)).get(name) or ""

    async def hubspot_count(self, kind: str, **wanted: Any) -> int:
        """How many active HubSpot records have these values."""
        records = await self.both.hubspot.all(kind)
        return sum(all(one.get(name) == value for name, value in wanted.items()) for one in records)

    async def creates(self) -> None:
        """Create on each side, for both object types."""
        both, story = self.both, self.story
        company = await both.hubspot.create("companies", {"name": "Neu in Hubspot GmbH", "country": "Austria"})

        async def as_address() -> Any:
            found = await both.partner_of_company(company)
            return (found["name1"], found["land"]) if found else None

        await story.expect("create a company in HubSpot", ("Neu in Hubspot GmbH", "AT"), as_address)
        contact = await both.hubspot.create("contacts", {"firstname": "Nora", "lastname": "Neu"}, companyId=company)

        async def as_person() -> Any:
            found = await both.partner_of_contact(contact)
            address = await both.partner_of_company(company)
            return (found["nachname"], found["adresse_id"] == address["id"]) if found and address else None

        await story.expect("create a contact of that company in HubSpot", ("Neu", True), as_person)
        address = await both.falcana.create("adressen", {"name1": "Neu in falcana KG", "land": "DE", "ort": "Passau"})

        async def as_company() -> Any:
            found = [one for one in await both.hubspot.all("companies") if one.get("falcana_id") == address]
            return (found[0]["name"], found[0].get("country"))

        await story.expect("create an Adresse in falcana", ("Neu in falcana KG", "Germany"), as_company)
        person = await both.falcana.create("ansprechpartner", {"adresse_id": int(address), "nachname": "Falk"})

        async def as_contact() -> Any:
            found = [one for one in await both.hubspot.all("contacts") if one.get("falcana_id") == person]
            company = [one for one in await both.hubspot.all("companies") if one.get("falcana_id") == address]
            return (found[0]["lastname"], found[0]["primaryCompanyId"] == company[0]["id"])

        await story.expect("create an Ansprechpartner in falcana", ("Falk", True), as_contact)

    async def edits(self) -> None:
        """Edit on each side, for both object types."""
        company = await self.company("Änderung GmbH")
        person = await self.person(company, "Aenderlich")
        both, story = self.both, self.story
        await both.hubspot.edit("companies", company.hubspot, phone="+43 1 58801")
        await story.expect(
            "edit a company in HubSpot",
            "+43 1 58801",
            lambda: self.field("falcana", "adressen", company.falcana, "telefon"),
        )
        await both.falcana.edit("adressen", company.falcana, strasse="Karlsplatz 13")
        await story.expect(
            "edit an Adresse in falcana",
            "Karlsplatz 13",
            lambda: self.field("hubspot", "companies", company.hubspot, "address"),
        )
        await both.hubspot.edit("contacts", person.hubspot, jobtitle="Leitung")
        await story.expect(
            "edit a contact in HubSpot",
            "Leitung",
            lambda: self.field("falcana", "ansprechpartner", person.falcana, "position"),
        )
        await both.falcana.edit("ansprechpartner", person.falcana, mobil="0664 1234567")
        await story.expect(
            "edit an Ansprechpartner in falcana",
            "0664 1234567",
            lambda: self.field("hubspot", "contacts", person.hubspot, "mobilephone"),
        )

    async def moves(self) -> None:
        """A person changes its company, in either system."""
        old, new = await self.company("Alter Arbeitgeber GmbH"), await self.company("Neuer Arbeitgeber AG")
        person = await self.person(old, "Wechsler")
        await self.both.hubspot.ask("PUT", f"/contacts/{person.hubspot}/primary-company", {"companyId": new.hubspot})
        await self.story.expect(
            "move a person to another company in HubSpot",
            new.falcana,
            lambda: self.field("falcana", "ansprechpartner", person.falcana, "adresse_id"),
        )
        await self.both.falcana.edit("ansprechpartner", person.falcana, adresse_id=int(old.falcana))
        await self.story.expect(
            "move it back in falcana",
            old.hubspot,
            lambda: self.field("hubspot", "contacts", person.hubspot, "primaryCompanyId"),
        )

    async def both_show(self, pair: Pair, names: tuple[tuple[str, str], ...]) -> Any:
        """The same fields on both sides: what HubSpot shows, and what falcana shows."""
        there = [await self.field("hubspot", "companies", pair.hubspot, name) for name, _ in names]
        here = [await self.field("falcana", "adressen", pair.falcana, wire) for _, wire in names]
        return there, here

    async def at_the_same_moment(self) -> None:
        """Two people edit one record at once."""
        pair = await self.company("Gleichzeitig OG")
        await self.both.hubspot.edit("companies", pair.hubspot, zip="1010")
        await self.both.falcana.edit("adressen", pair.falcana, strasse="Graben 1")
        names = (("zip", "plz"), ("address", "strasse"))
        expected = ["1010", "Graben 1"]
        await self.story.expect(
            "both edit different fields at the same moment", (expected, expected), lambda: self.both_show(pair, names)
        )
        await self.both.hubspot.ask("POST", "/clock", {"offset_ms": CLOCK_STEP_MS})
        await self.both.falcana.edit("adressen", pair.falcana, ort="Graz")
        await self.both.hubspot.edit("companies", pair.hubspot, city="Linz")
        await self.story.expect(
            "both edit the same field, HubSpot later: HubSpot's stays",
            (["Linz"], ["Linz"]),
            lambda: self.both_show(pair, (("city", "ort"),)),
        )
        await self.both.hubspot.ask("POST", "/clock", {"offset_ms": 0})

    async def races(self) -> None:
        """An edit lands between our read and our write."""
        pair = await self.company("Rennen GmbH")
        await self.both.hubspot.ask("POST", "/clock", {"offset_ms": CLOCK_STEP_MS})
        faster = {"properties": {"city": "Bregenz"}}
        act = {"method": "PATCH", "path": f"/_control/records/companies/{pair.hubspot}", "json": faster}
        await self.both.hubspot.ask(
            "POST", "/faults", {"match": "POST .*companies/batch/update", "do": "act", "act": act}
        )
        await self.both.falcana.edit("adressen", pair.falcana, ort="Steyr")
        await self.story.expect(
            "a later edit in HubSpot is buried by our write and comes back",
            (["Bregenz"], ["Bregenz"]),
            lambda: self.both_show(pair, (("city", "ort"),)),
            within_s=30,
        )
        await self.both.hubspot.ask("POST", "/clock", {"offset_ms": 0})
        act = {"method": "PATCH", "path": f"/_control/records/adressen/{pair.falcana}", "json": {"plz": "6900"}}
        await self.both.falcana.ask("POST", "/faults", {"match": "POST .*stapel", "do": "act", "act": act})
        await self.both.hubspot.edit("companies", pair.hubspot, address="Seestraße 6")
        names = (("zip", "plz"), ("address", "strasse"))
        expected = ["6900", "Seestraße 6"]
        await self.story.expect(
            "an edit in falcana between our read and our write",
            (expected, expected),
            lambda: self.both_show(pair, names),
        )

    async def bad_deliveries(self) -> None:
        """Webhooks that never come, come twice, or come in the wrong order."""
        pair = await self.company("Funkloch GmbH")
        for person in (self.both.hubspot, self.both.falcana):
            await person.ask("POST", "/webhooks", {"lose_all": True})
        await self.both.hubspot.edit("companies", pair.hubspot, zip="4400")
        await self.both.falcana.edit("adressen", pair.falcana, strasse="Stadtplatz 2")
        names = (("zip", "plz"), ("address", "strasse"))
        expected = ["4400", "Stadtplatz 2"]
        await self.story.expect(
            "webhooks that never come: the poller brings both edits",
            (expected, expected),
            lambda: self.both_show(pair, names),
            within_s=20 + 3 * self.poll_every_s,
        )
        for person in (self.both.hubspot, self.both.falcana):
            await person.ask("POST", "/webhooks", {"lose_all": False})
        await self.both.hubspot.ask("POST", "/webhooks", {"duplicate_next": 3, "reorder_next": 3})
        for city in ("Krems", "Melk", "Tulln"):
            await self.both.hubspot.edit("companies", pair.hubspot, city=city)
        await self.story.expect(
            "a doubled and reordered batch: the last edit stands",
            (["Tulln"], ["Tulln"]),
            lambda: self.both_show(pair, (("city", "ort"),)),
        )

    async def barrier(self, pair: Pair, text: str) -> None:
        """An edit of another record, so that everything before it has been looked at when it arrives."""
        await self.both.falcana.edit("adressen", pair.falcana, adresszusatz=text)
        await self.story.wait_for(lambda: self._has(pair, text))

    async def _has(self, pair: Pair, text: str) -> bool:
        return bool(await self.field("hubspot", "companies", pair.hubspot, "address2") == text)

    async def deletes_in_hubspot(self) -> None:
        """Deleted in HubSpot: kept in falcana, never sent again, until it is restored."""
        other = await self.company("Wegmarke GmbH")
        company = await self.company("Gelöscht in Hubspot GmbH")
        person = await self.person(other, "Geloescht")
        await self.both.hubspot.delete("companies", company.hubspot)
        await self.both.hubspot.ask("POST", "/records/contacts/bulk-delete", {"ids": [person.hubspot]})
        await self.both.hubspot.ask("POST", "/webhooks/flush")
        await self.barrier(other, "nach der Löschung")
        await self.story.expect(
            "delete a company in HubSpot: the Adresse stays",
            "Gelöscht in Hubspot GmbH",
            lambda: self.field("falcana", "adressen", company.falcana, "name1"),
        )
        await self.story.expect(
            "delete a contact in HubSpot: the Ansprechpartner stays",
            "Geloescht",
            lambda: self.field("falcana", "ansprechpartner", person.falcana, "nachname"),
        )
        await self.both.falcana.edit("adressen", company.falcana, ort="Villach")
        await self.both.falcana.edit("ansprechpartner", person.falcana, position="Ruhestand")
        await self.barrier(other, "nach der Änderung")
        await self.story.expect(
            "edit both in falcana afterwards: nothing is sent, nothing is created again",
            (0, 0, "Wien"),
            lambda: self._after_delete(company, person),
        )
        await self.both.hubspot.ask("POST", f"/records/companies/{company.hubspot}/restore")
        await self.story.expect(
            "restore the company: the edit made meanwhile arrives",
            "Villach",
            lambda: self.field("hubspot", "companies", company.hubspot, "city"),
        )

    async def _after_delete(self, company: Pair, person: Pair) -> Any:
        companies = await self.hubspot_count("companies", name="Gelöscht in Hubspot GmbH")
        contacts = await self.hubspot_count("contacts", lastname="Geloescht")
        return companies, contacts, await self.field("hubspot", "companies", company.hubspot, "city")

    async def merge(self) -> None:
        """Two HubSpot companies become a third record with a new id."""
        pair = await self.company("Fusion GmbH")
        other = await self.company("Fusion Zweig GmbH")
        body = {"primaryObjectId": pair.hubspot, "objectIdToMerge": other.hubspot}
        survivor = str((await self.both.hubspot.ask("POST", "/records/companies/merge", body))["id"])

        async def stored() -> Any:
            address = await self.both.falcana.show("adressen", pair.falcana)
            return address["individualfelder"]["hubspot_unternehmen_id"]

        await self.story.expect("merge two companies in HubSpot: falcana learns the new id", survivor, stored)
        await self.both.falcana.edit("adressen", pair.falcana, ort="Wels")
        await self.story.expect(
            "an edit travels to the survivor", "Wels", lambda: self.field("hubspot", "companies", survivor, "city")
        )
        await self.story.expect(
            "the other Adresse is kept and not created again",
            ("Fusion Zweig GmbH", 0),
            lambda: self._left_over(other),
        )

    async def _left_over(self, other: Pair) -> Any:
        name = await self.field("falcana", "adressen", other.falcana, "name1")
        return name, await self.hubspot_count("companies", name="Fusion Zweig GmbH")

    async def deletes_in_falcana(self) -> None:
        """Deleted in falcana: archived in HubSpot with the next push."""
        company = await self.company("Gelöscht in falcana GmbH")
        person = await self.person(company, "Abgang")
        await self.both.falcana.delete("ansprechpartner", person.falcana)
        await self.story.expect(
            "delete an Ansprechpartner in falcana: the contact is archived",
            True,
            lambda: self._archived("contacts", person.hubspot),
        )
        await self.both.falcana.delete("adressen", company.falcana)
        await self.story.expect(
            "delete an Adresse in falcana: the company is archived",
            True,
            lambda: self._archived("companies", company.hubspot),
        )

    async def _archived(self, kind: str, record_id: str) -> bool:
        return bool((await self.both.hubspot.show(kind, record_id)).get("archived"))

    async def in_the_end(self) -> None:
        """Both agree on everything, and when nobody edits, nothing is written."""
        await self.story.expect(
            "both sandboxes agree on every mapped field, nothing stands twice", [], lambda: disagreements(self.both), 60
        )
        await self.quiet()
        writes = await self.both.hubspot.written(), await self.both.falcana.written()
        for _round in range(4):
            await self.poll_round()
        now = await self.both.hubspot.written(), await self.both.falcana.written()
        await self.story.expect("four idle poll rounds write nothing", writes, lambda: _same(now))

    async def poll_round(self) -> None:
        """Wait until the poller has asked both systems for both object types once more."""
        before = await self._polls()
        await self.story.wait_for(lambda: self._polled_since(before))

    async def _polls(self) -> tuple[int, int]:
        there = (await self.both.hubspot.ask("GET", "/stats"))["calls"].get("search", 0)
        here = (await self.both.falcana.ask("GET", "/stats"))["calls"].get("GET aenderungen", 0)
        return there, here

    async def _polled_since(self, before: tuple[int, int]) -> bool:
        now = await self._polls()
        return now[0] >= before[0] + 2 and now[1] >= before[1] + 2

    async def quiet(self) -> None:
        """Wait until a whole poll round has passed in which nothing was written."""
        for _round in range(10):
            before = await self.both.hubspot.written(), await self.both.falcana.written()
            await self.poll_round()
            if before == (await self.both.hubspot.written(), await self.both.falcana.written()):
                return


async def _same(value: Any) -> Any:
    return value
