"""Links: found or made by record id, leased with an expiry and a fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.links import Link, LinkState
from schemas.records import ObjectType, System
from services.store.pool import Database
from services.store.queries import QUERIES
from services.store.rows import link_of


@dataclass(frozen=True)
class Leased:
    """What a lease brought: distinct links, which key means which link, and the keys somebody else is working on."""

    links: list[Link]
    by_key: dict[tuple[System, str], int]
    busy: list[tuple[System, str]]


@dataclass(frozen=True)
class KnownDates:
    """By what a change can be recognised as known."""

    modified_ms: int
    version: int


@dataclass(frozen=True)
class DeleteCounts:
    """What the delete brake looks at, for one object type."""

    pending: int
    executed_last_hour: int
    links: int


class Links:
    """The link table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(
        self,
        connection_id: int,
        object_type: ObjectType,
        keys: Sequence[tuple[System, str]],
        lease_s: float,
        owner: str,
    ) -> Leased:
        """Lease the links of these records for ``lease_s`` seconds; unknown records get a row in state ``unlinked``.

        A link leased by somebody else is busy until that lease ends or expires. Raises StoreUnavailable.
        """
        asked = sorted({(system.value, record_id) for system, record_id in keys})
        systems, ids = [system for system, _ in asked], [record_id for _, record_id in asked]
        async with self._database.transaction() as connection:
            await connection.execute(QUERIES["insert_unknown"], connection_id, object_type.value, systems, ids)
            named = await connection.fetch(QUERIES["links_named"], connection_id, object_type.value, systems, ids)
            link_ids = sorted({row["link_id"] for row in named})
            rows = await connection.fetch(QUERIES["take_leases"], link_ids, lease_s, owner)
        links = {link.id: link for link in map(link_of, rows)}
        by_key = {(System(row["system"]), row["record_id"]): row["link_id"] for row in named if row["link_id"] in links}
        busy = [(System(system), record_id) for system, record_id in asked if (System(system), record_id) not in by_key]
        return Leased(links=list(links.values()), by_key=by_key, busy=busy)

    async def lease_more(self, link_ids: Sequence[int], lease_s: float, owner: str) -> list[Link]:
        """Lease further links by their own id; those that are busy are left out."""
        rows = await self._database.rows(QUERIES["take_leases"], sorted(link_ids), lease_s, owner)
        return [link_of(row) for row in rows]

    async def release(self, links: Sequence[Link], owner: str) -> None:
        """End the leases this owner still holds on these links."""
        await self._database.rows(QUERIES["release"], [link.id for link in links], owner)

    async def release_owned(self, owner: str) -> None:
        """End every lease of this owner, after a fault and at the end of a process."""
        await self._database.rows(QUERIES["release_owned"], owner)

    async def by_record(
        self, connection_id: int, object_type: ObjectType, system: System, record_ids: Sequence[str]
    ) -> dict[str, Link]:
        """The links that these record ids name, also by an id that was merged away. Takes no lease."""
        systems = [system.value] * len(record_ids)
        named = await self._database.rows(
            QUERIES["links_named"], connection_id, object_type.value, systems, list(record_ids)
        )
        links = await self.by_ids(connection_id, [row["link_id"] for row in named])
        return {row["record_id"]: links[row["link_id"]] for row in named if row["link_id"] in links}

    async def by_ids(self, connection_id: int, link_ids: Sequence[int]) -> dict[int, Link]:
        """Links by their own id."""
        rows = await self._database.rows(QUERIES["links_by_id"], connection_id, sorted(set(link_ids)))
        return {row["id"]: link_of(row) for row in rows}

    async def known_dates(
        self, connection_id: int, object_type: ObjectType, system: System, record_ids: Sequence[str]
    ) -> dict[str, KnownDates]:
        """The date and version of our last look at each known record of one side."""
        query = QUERIES["known_hubspot" if system is System.HUBSPOT else "known_falcana"]
        rows = await self._database.rows(query, connection_id, object_type.value, list(record_ids))
        return {row["record_id"]: KnownDates(row["modified_ms"], row["version"]) for row in rows}

    async def count_by_state(self, connection_id: int) -> dict[str, dict[str, int]]:
        """Numbers of links by object type and state."""
        counts: dict[str, dict[str, int]] = {}
        for row in await self._database.rows(QUERIES["count_by_state"], connection_id):
            counts.setdefault(row["object_type"], {})[row["state"]] = row["links"]
        return counts

    async def in_state(self, connection_id: int, object_type: ObjectType, state: LinkState) -> list[Link]:
        """All links of one state, oldest first."""
        rows = await self._database.rows(QUERIES["in_state"], connection_id, object_type.value, state.value)
        return [link_of(row) for row in rows]

    async def delete_counts(self, connection_id: int, object_type: ObjectType) -> DeleteCounts:
        """Deletes due and executed within the last hour, and how many links there are."""
        row = await self._database.row(QUERIES["delete_counts"], connection_id, object_type.value)
        return DeleteCounts(row["pending"], row["executed"], row["links"])
