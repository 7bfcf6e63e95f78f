"""Manual runs: one at a time per connection, with numbers that survive whoever watches."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from services.store.pool import Database
from services.store.queries import QUERIES


class AlreadyRunning(Exception):
    """A run of this connection is active; the message says since when."""


@dataclass(frozen=True)
class Run:
    """The numbers of a run. ``expected`` grows while records are listed; ``finished`` once all of them are counted."""

    id: int
    direction: str
    expected: int
    created: int
    updated: int
    unchanged: int
    deleted: int
    blocked: int
    failed: int
    listed: bool
    finished: bool

    @property
    def counted(self) -> int:
        """How many records have an outcome."""
        return self.created + self.updated + self.unchanged + self.deleted + self.blocked + self.failed

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"counted": self.counted}

    def in_words(self) -> str:
        """For people."""
        return (
            f"{self.direction}: {self.counted} of {self.expected}; {self.created} created, {self.updated} updated, "
            f"{self.unchanged} unchanged, {self.deleted} deleted, {self.blocked} blocked, {self.failed} failed"
        )


class Runs:
    """The run table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, connection_id: int, direction: str, kind: str) -> int:
        """Begin a run. Raises AlreadyRunning (R32)."""
        await self._database.rows(QUERIES["finish_counted"], connection_id)
        try:
            row = await self._database.row(QUERIES["start_run"], connection_id, direction, kind)
        except asyncpg.UniqueViolationError:
            row = await self._database.row(QUERIES["active_run"], connection_id)
            raise AlreadyRunning(f"since {row['started_at']:%Y-%m-%d %H:%M} UTC" if row else "just now") from None
        return int(row["id"])

    async def expect(self, run_id: int, records: int) -> None:
        """Say that more records belong to the run, before their hints are sent."""
        await self._database.rows(QUERIES["expect_more"], run_id, records)

    async def listed(self, run_id: int) -> None:
        """Say that no more will be added."""
        await self._database.rows(QUERIES["run_listed"], run_id)

    async def progress(self, run_id: int) -> Run:
        """The numbers now; marks the run finished when everything listed is counted."""
        row = await self._database.row(QUERIES["run_progress"], run_id)
        names = (
            "id",
            "direction",
            "expected",
            "created",
            "updated",
            "unchanged",
            "deleted",
            "blocked",
            "failed",
            "listed",
        )
        return Run(**{name: row[name] for name in names}, finished=row["finished_at"] is not None)

    async def abandon(self, run_id: int) -> None:
        """End a run that could not list its records."""
        await self._database.rows(QUERIES["abandon_run"], run_id)
