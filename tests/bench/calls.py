"""How many calls and writes a burst of edits costs, counted at the sandboxes. Counters only, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg

from schemas.records import System
from tests.world import World

KINDS = {"company": ("companies", "adressen"), "contact": ("contacts", "ansprechpartner")}
EDITED = {"company": ("city", "ort"), "contact": ("jobtitle", "position")}
BOUNDS = {"hubspot to falcana": 10, "falcana to hubspot": 20}
AIMS = {"hubspot to falcana": 12, "falcana to hubspot": 24}


@dataclass(frozen=True)
class Row:
    """One burst: calls to HubSpot per 1,000 changed records, verification apart, and writes per edit."""

    object_type: str
    direction: str
    records: int
    calls_per_1000: float
    bound: int
    aim: int
    verification_per_1000: float
    writes_per_edit: float
    calls: dict[str, int]

    @property
    def within_aim(self) -> bool:
        """Whether the burst cost no more than we aim for."""
        return self.calls_per_1000 <= self.aim and self.writes_per_edit <= 1.0

    def as_dict(self) -> dict[str, object]:
        """For bench.json."""
        return asdict(self) | {"within_aim": self.within_aim}


async def load(world: World, records: int) -> None:
    """As many companies with one person each, linked and verified on both sides."""
    companies = [{"name": f"Firma {n} GmbH", "city": "Wien"} for n in range(records)]
    contacts = [
        {"lastname": f"Person {n}", "email": f"p{n}@example.com", "jobtitle": "Vertrieb", "company": n}
        for n in range(records)
    ]
    await world.hubspot.ask("POST", "/import", {"companies": companies, "contacts": contacts})
    await world.run(System.HUBSPOT)
    await verify(world)
    await world.poll()
    await verify(world)


async def verify(world: World) -> None:
    """Let the looks that verify our own writes happen now."""
    connection = await asyncpg.connect(world.dsn)
    try:
        for _round in range(3):
            await connection.execute("UPDATE retry SET not_before = now() WHERE category = 'verify'")
            await world.settle()
    finally:
        await connection.close()


async def burst(world: World, object_type: str, direction: str, mark: str) -> Row:
    """Edit every record of a type on one side, and count what it takes to bring all of them across."""
    there, here = KINDS[object_type]
    person, kind = (world.hubspot, there) if direction.startswith("hubspot") else (world.falcana, here)
    name = EDITED[object_type][0 if direction.startswith("hubspot") else 1]
    ids = [str(one["id"]) for one in await person.all(kind)]
    await reset(world)
    for record_id in ids:
        await person.edit(kind, record_id, **{name: mark})
    await world.settle()
    calls = dict((await world.hubspot.ask("GET", "/stats"))["calls"])
    written = await written_on_the_other_side(world, direction)
    await reset(world)
    await verify(world)
    again = sum((await world.hubspot.ask("GET", "/stats"))["calls"].values())
    return Row(
        object_type=object_type,
        direction=direction,
        records=len(ids),
        calls_per_1000=per_1000(sum(calls.values()), len(ids)),
        bound=BOUNDS[direction],
        aim=AIMS[direction],
        verification_per_1000=per_1000(again, len(ids)),
        writes_per_edit=round(written / len(ids), 3),
        calls=calls,
    )


def per_1000(calls: int, records: int) -> float:
    """Calls per thousand records."""
    return round(calls * 1000 / records, 1)


async def reset(world: World) -> None:
    """Count from zero on both sides."""
    for person in (world.hubspot, world.falcana):
        await person.ask("POST", "/stats/reset")


async def written_on_the_other_side(world: World, direction: str) -> int:
    """How many records the product has written where the edits were not made, and where they were: both count."""
    return len(await world.hubspot.writes()) + len(await world.falcana.writes())


async def idle_writes(world: World, rounds: int = 4) -> int:
    """Writes on both sides while nobody edits."""
    await reset(world)
    for _round in range(rounds):
        await world.poll()
    return await written_on_the_other_side(world, "")


async def all_bursts(world: World, records: int) -> tuple[Sequence[Row], int]:
    """Both directions for both object types, then idle polls."""
    await load(world, records)
    rows = [
        await burst(world, object_type, direction, f"{direction} 1") for object_type in KINDS for direction in BOUNDS
    ]
    return rows, await idle_writes(world)
