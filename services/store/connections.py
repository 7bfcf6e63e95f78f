"""Connections and their switches."""

from __future__ import annotations

import msgspec

from schemas.connections import Connection
from services.store.pool import Database
from services.store.queries import QUERIES


class Connections:
    """The connection table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Connection]:
        """Every connection, by number."""
        rows = await self._database.rows(QUERIES["all_connections"])
        return [msgspec.convert({**row["settings"], "id": row["id"]}, Connection) for row in rows]

    async def get(self, connection_id: int) -> Connection:
        """One connection. Raises KeyError for an unknown number."""
        return {one.id: one for one in await self.all()}[connection_id]

    async def save(self, connection: Connection) -> None:
        """Create or replace a connection."""
        await self._database.rows(QUERIES["save_connection"], connection.id, msgspec.to_builtins(connection))

    async def set_switches(
        self, connection_id: int, *, pull: bool | None = None, push: bool | None = None
    ) -> Connection:
        """Switch directions; None leaves one as it is. Raises KeyError for an unknown number."""
        now = await self.get(connection_id)
        changed = msgspec.structs.replace(
            now, pull=now.pull if pull is None else pull, push=now.push if push is None else push
        )
        await self.save(changed)
        return changed
