"""How far each direction and object type has been read."""

from __future__ import annotations

from typing import Any

from schemas.records import ObjectType, System
from services.store.pool import Database
from services.store.queries import QUERIES


class Checkpoints:
    """The checkpoint table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, connection_id: int, system: System, object_type: ObjectType) -> str | None:
        """The stored position, None when this direction and type was never read to the end."""
        row = await self._database.row(QUERIES["get_checkpoint"], connection_id, system.value, object_type.value)
        return row["position"] if row else None

    async def set(self, connection_id: int, system: System, object_type: ObjectType, position: str) -> None:
        """Store a position once every hint before it is safe in the queue."""
        await self._database.rows(QUERIES["set_checkpoint"], connection_id, system.value, object_type.value, position)

    async def all(self, connection_id: int) -> list[dict[str, Any]]:
        """All positions with the time of their last success, for people."""
        rows = await self._database.rows(QUERIES["all_checkpoints"], connection_id)
        return [dict(row) | {"succeeded_at": row["succeeded_at"].isoformat()} for row in rows]
