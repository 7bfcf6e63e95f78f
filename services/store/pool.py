"""The pool, and the one error a caller has to know: the database cannot be reached now."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    TimeoutError,
)


class StoreUnavailable(Exception):
    """The database cannot be asked now. Nothing of the transaction happened, or nothing is known of it: do it again."""


class Database:
    """A pool whose failures have one name."""

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        """One connection in one transaction. Raises StoreUnavailable."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection
        except UNREACHABLE as error:
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """All rows of one statement. Raises StoreUnavailable."""
        async with self.transaction() as connection:
            return list(await connection.fetch(query, *arguments))

    async def row(self, query: str, *arguments: Any) -> Any:
        """The first row of one statement, None when there is none. Raises StoreUnavailable."""
        async with self.transaction() as connection:
            return await connection.fetchrow(query, *arguments)

    async def close(self) -> None:
        """Give all connections back."""
        await self._pool.close()


async def open_database(dsn: str, min_size: int = 1, max_size: int = 8) -> Database:
    """A pool on a migrated database. Raises StoreUnavailable when it cannot be reached."""
    try:
        pool = await asyncpg.create_pool(
            dsn, min_size=min_size, max_size=max_size, init=_speak_json, command_timeout=30
        )
    except UNREACHABLE as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
    return Database(pool)


async def _speak_json(connection: asyncpg.Connection[Any]) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
