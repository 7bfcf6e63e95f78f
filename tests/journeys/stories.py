"""Beginnings that several journeys share."""

from __future__ import annotations

from tests.world import World


async def linked_company(world: World, **fields: str) -> tuple[str, str]:
    """A company in both systems: (HubSpot id, falcana id)."""
    hubspot_id = await world.hubspot.create(
        "companies", {"name": "Müller & Söhne GmbH", "phone": "+43 1 2345678", **fields}
    )
    await world.settle()
    address = next(
        a for a in await world.falcana.all("adressen") if a["individualfelder"]["hubspot_unternehmen_id"] == hubspot_id
    )
    return hubspot_id, str(address["id"])


async def linked_person(world: World, company: tuple[str, str], **fields: str) -> tuple[str, str]:
    """A person of a company in both systems: (HubSpot id, falcana id)."""
    body = {"firstname": "Sabine", "lastname": "Muster", "email": "s.muster@example.com", **fields}
    hubspot_id = await world.hubspot.create("contacts", body, companyId=company[0])
    await world.settle()
    people = await world.falcana.all("ansprechpartner")
    person = next(p for p in people if p["individualfelder"]["hubspot_kontakt_id"] == hubspot_id)
    return hubspot_id, str(person["id"])
