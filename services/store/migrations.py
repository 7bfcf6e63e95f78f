"""Numbered SQL files, each applied once, in one transaction, under a lock, with its checksum kept."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import asyncpg

from services.store.pool import UNREACHABLE, StoreUnavailable

LOCK = 7_236_001
LEDGER = """CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


class MigrationChanged(Exception):
    """A file that was applied before has other contents now; write a new one instead."""


def migration_files() -> list[tuple[str, str]]:
    """Names and contents, in order."""
    folder = files("schemas").joinpath("tables")
    found = [(entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name[:1].isdigit()]
    return sorted(found)


def checksum(text: str) -> str:
    """What identifies the contents of a file."""
    return hashlib.sha256(text.encode()).hexdigest()


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing; the names applied. Safe for several processes at once.

    Raises StoreUnavailable, and MigrationChanged when an applied file was edited.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except UNREACHABLE as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute(LEDGER)
        rows = await connection.fetch("SELECT name, checksum FROM schema_migration")
        known = {row["name"]: row["checksum"] for row in rows}
        applied = []
        for name, text in migration_files():
            if name not in known:
                await _apply(connection, name, text)
                applied.append(name)
            elif known[name] != checksum(text):
                raise MigrationChanged(f"{name} was changed after it had been applied; add a new file instead")
        return applied
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection[asyncpg.Record], name: str, text: str) -> None:
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute("INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", name, checksum(text))
