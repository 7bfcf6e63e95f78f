"""One budget of calls for all processes: a leaky bucket per connection in the database.

``capacity + 10 * rate`` never exceeds the limit of a rolling ten-second window, for any number of workers.
"""

from __future__ import annotations

from datetime import datetime

from services.clock import Clock
from services.store.pool import Database
from services.store.queries import QUERIES

BURST_CAPACITY = 10
SEARCH_PER_S = 5


class SharedBudget:
    """Waits until a call of its kind is within the limits of the account."""

    def __init__(self, database: Database, connection_id: int, limit_per_10s: int, clock: Clock) -> None:
        self._database = database
        self._connection_id = connection_id
        self._clock = clock
        self._shapes = {
            "burst": (float(BURST_CAPACITY), (limit_per_10s - BURST_CAPACITY) / 10),
            "search": (1.0, float(SEARCH_PER_S - 1)),
        }

    async def take(self, bucket: str = "burst") -> float:
        """Book one call of a bucket (``burst`` or ``search``) and wait for it; the seconds waited.

        Raises StoreUnavailable.
        """
        wait_s = await self.booked(bucket)
        if wait_s > 0:
            await self._clock.sleep(wait_s)
        return wait_s

    async def booked(self, bucket: str, at: datetime | None = None) -> float:
        """Book one call without waiting: in how many seconds from now (or from ``at``) it may be made."""
        capacity, rate_per_s = self._shapes[bucket]
        row = await self._database.row(QUERIES["take_budget"], self._connection_id, bucket, capacity, rate_per_s, at)
        return float(row["wait_s"])
