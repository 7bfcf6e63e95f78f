"""Sends webhooks as a vendor does: signed afresh for each attempt, repeated when not answered in time, at most ten
at once.

Both sandboxes use it; what is sent and how it is signed they say themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

MOST_ATTEMPTS = 11
IN_FLIGHT = 10
TIMEOUT_S = 5.0

Signed = Callable[[Any, int], tuple[bytes, dict[str, str]]]
"""(payload, attempt) -> body and headers."""


@dataclass
class Counters:
    """What became of requests."""

    delivered: int = 0
    failed: int = 0
    lost: int = 0
    attempts: int = 0


@dataclass
class Sender:
    """Delivers payloads to one URL in the background."""

    sign: Signed
    url: str | None
    retry_ms: int
    paused: bool = False
    counters: Counters = field(default_factory=Counters)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(IN_FLIGHT))
    _session: aiohttp.ClientSession | None = None
    _resumed: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, payload: Any) -> None:
        """Begin to deliver one request."""
        task = asyncio.ensure_future(self._deliver(payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def pending(self) -> int:
        """Requests that are neither delivered nor given up."""
        return len(self._tasks)

    def pause(self, paused: bool) -> None:
        """Hold deliveries back, or let them go."""
        self.paused = paused
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    async def _deliver(self, payload: Any) -> None:
        for attempt in range(MOST_ATTEMPTS):
            if self.paused:
                await self._resumed.wait()
            if self.url is None:
                return
            async with self._gate:
                if await self._attempt(payload, attempt):
                    self.counters.delivered += 1
                    return
            await asyncio.sleep(self.retry_ms * 2**attempt / 1000)
        self.counters.failed += 1

    async def _attempt(self, payload: Any, attempt: int) -> bool:
        body, headers = self.sign(payload, attempt)
        self.counters.attempts += 1
        assert self.url is not None
        try:
            async with self._open().post(self.url, data=body, headers=headers) as answer:
                await answer.read()
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self._session

    async def flush(self) -> None:
        """Wait until nothing is pending."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give everything up."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
