"""The demo for a person: a few edits told as they travel, then an invitation to make one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rich.console import Console

from services.sandbox.demo.people import Both
from services.sandbox.demo.processes import Processes

LOOK_EVERY_S = 0.1
PATIENCE_S = 30.0


async def narrate(both: Both, out: Console) -> None:
    """Edits on both sides and their arrival, with the measured delay."""
    address, company_id = await both.linked("adressen")
    person, contact_id = await both.linked("ansprechpartner")
    tale: tuple[tuple[str, Any, Any], ...] = (
        (
            f"HubSpot: {address['name1']} gets a new phone number",
            both.hubspot.edit("companies", company_id, phone="+43 1 9000 4711"),
            lambda: _shows(both.falcana, "adressen", str(address["id"]), "telefon", "+43 1 9000 4711"),
        ),
        (
            f"falcana: {address['name1']} moves to Stephansplatz 1",
            both.falcana.edit("adressen", str(address["id"]), strasse="Stephansplatz 1"),
            lambda: _shows(both.hubspot, "companies", company_id, "address", "Stephansplatz 1"),
        ),
        (
            f"HubSpot: {person['vorname']} {person['nachname']} gets power of attorney",
            both.hubspot.edit("contacts", contact_id, jobtitle="Prokura"),
            lambda: _shows(both.falcana, "ansprechpartner", str(person["id"]), "position", "Prokura"),
        ),
        (
            f"falcana: {person['vorname']} {person['nachname']} gets a new mobile number",
            both.falcana.edit("ansprechpartner", str(person["id"]), mobil="0664 4711 815"),
            lambda: _shows(both.hubspot, "contacts", contact_id, "mobilephone", "0664 4711 815"),
        ),
    )
    for words, edit, arrived in tale:
        await edit
        started = time.monotonic()
        await _look_until(arrived)
        out.print(f"[green]→[/green] {words}: arrived on the other side after {time.monotonic() - started:.2f} s")


async def _look_until(arrived: Any) -> None:
    for _look in range(int(PATIENCE_S / LOOK_EVERY_S)):
        if await arrived():
            return
        await asyncio.sleep(LOOK_EVERY_S)


async def _shows(person: Any, kind: str, record_id: str, name: str, value: str) -> bool:
    return bool((await person.show(kind, record_id)).get(name) == value)


async def invite(both: Both, out: Console, processes: Processes) -> None:
    """Show how to edit, then tell every write that the product makes, until Ctrl-C."""
    address, company_id = await both.linked("adressen")
    out.print("\n[bold]Your turn.[/bold] Edit something in either system from another terminal, for example:\n")
    out.print(
        f"curl -X PATCH {both.hubspot.url}/_control/records/companies/{company_id} "
        '-d \'{"properties": {"city": "Hallstatt"}}\'',
        soft_wrap=True,
        highlight=False,
    )
    out.print(
        f'curl -X PATCH {both.falcana.url}/_control/records/adressen/{address["id"]} -d \'{{"ort": "Lech"}}\'',
        soft_wrap=True,
        highlight=False,
    )
    out.print("\nWatching both systems. Ctrl-C ends everything.\n")
    known = {"HubSpot": await both.hubspot.written(), "falcana": await both.falcana.written()}
    while True:
        processes.check()
        for name, person in (("HubSpot", both.hubspot), ("falcana", both.falcana)):
            writes = await person.ask("GET", "/writes")
            for write in writes[known[name] :]:
                fields = write.get("properties", write.get("daten"))
                out.print(
                    f"[green]→[/green] written to {name}: {write.get('type', write.get('typ'))} {write['id']} {fields}"
                )
            known[name] = len(writes)
        await asyncio.sleep(LOOK_EVERY_S)
