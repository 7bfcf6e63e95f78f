"""How messages in hand become an armful: live before bulk, lanes never mixed, a suspect alone. Shared by every queue.

A message that was delivered before may have ended a worker. It is handed out alone, so that if it does so again only
its own delivery count rises and its neighbours are not dead-lettered with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from schemas.events import Lane
from services.hints import ReceivedMessage

M = TypeVar("M", bound=ReceivedMessage)


class Basket(Generic[M]):
    """Messages that have arrived and were not handed out yet, by lane."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[M]] = {lane: deque() for lane in Lane}
        self._arrived = asyncio.Event()

    def put(self, message: M) -> None:
        """A message has arrived."""
        self._lanes[message.lane].append(message)
        self._arrived.set()

    def clear(self) -> None:
        """Forget what was not handed out: the broker will deliver it again."""
        for lane in self._lanes.values():
            lane.clear()

    async def collect(self, max_hints: int, window_s: float, timeout_s: float) -> Sequence[M]:
        """An armful, as the port promises."""
        if not await self._some(timeout_s):
            return []
        lane = next(lane for lane in Lane if self._lanes[lane])
        gathered: list[M] = []
        try:
            async with asyncio.timeout(window_s):
                while not self._take(lane, gathered, max_hints):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        return gathered

    async def _some(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while not any(self._lanes.values()):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    def _take(self, lane: Lane, gathered: list[M], max_hints: int) -> bool:
        """Move what is there into the armful. True when it is full."""
        waiting = self._lanes[lane]
        while waiting:
            suspect = waiting[0].redelivered
            if suspect and gathered:
                return True
            total = sum(len(message.message.hints) for message in gathered)
            if gathered and total + len(waiting[0].message.hints) > max_hints:
                return True
            gathered.append(waiting.popleft())
            if suspect:
                return True
        return sum(len(message.message.hints) for message in gathered) >= max_hints
