"""What waits for a person, and what the ledger says of a record."""

from __future__ import annotations

from typing import Any

from services.store.pool import Database
from services.store.queries import QUERIES


class Trouble:
    """Conflicts, held fields, parked records and the ledger, for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def held_count(self, connection_id: int) -> int:
        """How many fields wait."""
        return int((await self._database.row(QUERIES["held_count"], connection_id))["fields"])

    async def conflict_count(self, connection_id: int) -> int:
        """How many conflicts are open."""
        return int((await self._database.row(QUERIES["conflict_count"], connection_id))["conflicts"])

    async def parked(self, connection_id: int) -> list[dict[str, Any]]:
        """Parked records with their reason, newest first, at most a thousand."""
        return _plain(await self._database.rows(QUERIES["parked"], connection_id))

    async def held_of(self, link_id: int) -> list[dict[str, Any]]:
        """The fields of a link that wait."""
        return _plain(await self._database.rows(QUERIES["held_of"], link_id))

    async def conflicts_of(self, link_id: int) -> list[dict[str, Any]]:
        """The conflicts of a link, newest first."""
        return _plain(await self._database.rows(QUERIES["conflicts_of"], link_id))

    async def history(self, link_id: int) -> list[dict[str, Any]]:
        """The ledger's lines about a link, oldest first."""
        return _plain(await self._database.rows(QUERIES["ledger_of"], link_id))


def _plain(rows: list[Any]) -> list[dict[str, Any]]:
    return [{k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows]
