"""Of several pollers one leads: whoever holds a session lock of the database."""

from __future__ import annotations

import contextlib
from typing import Any

import asyncpg

from services.store.pool import UNREACHABLE


class Leadership:
    """A lock that ends with its connection, so a dead leader is followed at once by the next."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self._name = name
        self._connection: asyncpg.Connection[Any] | None = None

    async def held(self) -> bool:
        """Whether this process leads, trying to become the leader if nobody does. False when the database is away."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._dsn, timeout=5)
                self._leads = False
            if not self._leads:
                self._leads = await self._connection.fetchval(
                    "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", self._name
                )
            else:
                await self._connection.fetchval("SELECT 1")
        except UNREACHABLE:
            await self.step_down()
        return self._leads

    _leads = False

    async def step_down(self) -> None:
        """Give the lead away."""
        self._leads = False
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # Without an answer the lock ends with the connection, a moment later.
        with contextlib.suppress(*UNREACHABLE):
            await connection.execute("SELECT pg_advisory_unlock_all()", timeout=2)
        connection.terminate()
