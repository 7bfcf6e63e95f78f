"""The store: everything the workshop remembers, by duty."""

from __future__ import annotations

from schemas.ledger import Commit
from services.clock import Clock
from services.store.budget import SharedBudget
from services.store.checkpoints import Checkpoints
from services.store.commits import commit
from services.store.connections import Connections
from services.store.links import Links
from services.store.pool import Database, open_database
from services.store.queries import QUERIES
from services.store.retries import Retries
from services.store.runs import Runs
from services.store.trouble import Trouble


class Store:
    """One door to the database. Every method raises StoreUnavailable when it cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.connections = Connections(database)
        self.links = Links(database)
        self.retries = Retries(database)
        self.checkpoints = Checkpoints(database)
        self.runs = Runs(database)
        self.trouble = Trouble(database)

    async def commit(self, changes: Commit, owner: str) -> set[int]:
        """Store everything of one step in one transaction; the links that had moved on."""
        return await commit(self._database, changes, owner)

    async def erase(self, link_id: int) -> None:
        """Forget every value of a record: shadows, register, ledger, conflicts (GDPR Art. 17). Hashes stay."""
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL fsync.erasing = 'yes'")
            for name in ("erase_link", "erase_ledger", "erase_conflicts"):
                await connection.execute(QUERIES[name], link_id)

    async def alive(self) -> bool:
        """Whether the database answers. Raises StoreUnavailable."""
        return bool(await self._database.row("SELECT true AS alive"))

    def budget(self, connection_id: int, limit_per_10s: int, clock: Clock) -> SharedBudget:
        """The shared budget of one connection."""
        return SharedBudget(self._database, connection_id, limit_per_10s, clock)

    async def close(self) -> None:
        """Give all connections back."""
        await self._database.close()


async def open_store(dsn: str, min_size: int = 1, max_size: int = 8) -> Store:
    """A store on a migrated database. Raises StoreUnavailable."""
    return Store(await open_database(dsn, min_size, max_size))
