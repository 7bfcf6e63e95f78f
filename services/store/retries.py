"""Records that come back at a time."""

from __future__ import annotations

from schemas.events import Happening
from schemas.ledger import Retry
from schemas.records import ObjectType, System
from services.store.pool import Database
from services.store.queries import QUERIES


class DueRetry(Retry, frozen=True, kw_only=True):
    """A retry whose time has come, with the number of attempts so far."""

    attempts: int = 0


class Retries:
    """The retry table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> list[DueRetry]:
        """Claim rows whose time has come. They stay, five minutes ahead, until their record is settled."""
        return [
            DueRetry(
                connection_id=row["connection_id"],
                object_type=ObjectType(row["object_type"]),
                system=System(row["system"]),
                record_id=row["record_id"],
                category=row["category"],
                reason=row["reason"],
                delay_s=0.0,
                happening=Happening(row["happening"]),
                pull=row["pull"],
                push=row["push"],
                run_id=row["run_id"],
                attempts=row["attempts"],
            )
            for row in await self._database.rows(QUERIES["due_retries"], limit)
        ]

    async def by_category(self, connection_id: int) -> dict[str, int]:
        """How many records wait, and for what."""
        rows = await self._database.rows(QUERIES["retries_by_category"], connection_id)
        return {row["category"]: row["records"] for row in rows}

    async def pending_count(self, connection_id: int) -> int:
        """How many records wait."""
        return sum((await self.by_category(connection_id)).values())
