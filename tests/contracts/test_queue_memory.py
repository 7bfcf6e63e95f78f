"""The in-memory twin keeps the queue's promises."""

from __future__ import annotations

import pytest

from schemas.events import Lane
from services.queue.memory import MemoryBroker, MemoryConsumer, MemoryPublisher, Stored
from tests.contracts.queue_contract import QueueContract


class MemoryUnderTest:
    """A broker in a variable."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()

    async def publisher(self) -> MemoryPublisher:
        return MemoryPublisher(self.broker)

    async def consumer(self) -> MemoryConsumer:
        return MemoryConsumer(self.broker)

    async def put_garbage(self, body: bytes) -> None:
        self.broker.lanes[Lane.LIVE].append(Stored(body))

    async def dead_count(self) -> int:
        return len(self.broker.dead)

    async def go_away(self) -> None:
        self.broker.away = True


class TestMemoryQueue(QueueContract):
    @pytest.fixture
    def broker(self) -> MemoryUnderTest:
        return MemoryUnderTest()
