"""RabbitMQ keeps the queue's promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import aio_pika
import pytest

from schemas.events import Lane
from services.hints import QueueUnavailable
from services.queue.consumer import RabbitConsumer, open_consumer
from services.queue.publisher import RabbitPublisher, open_publisher
from services.queue.topology import dead_name, queue_name
from tests.contracts.queue_contract import QueueContract, message


class RabbitUnderTest:
    """Queues of their own on a real broker."""

    def __init__(self, amqp_url: str, stack: AsyncExitStack) -> None:
        self.amqp_url = amqp_url
        self.prefix = f"test-{uuid4().hex[:8]}"
        self._stack = stack
        self._publishers: list[RabbitPublisher] = []

    async def publisher(self) -> RabbitPublisher:
        made = await open_publisher(self.amqp_url, prefix=self.prefix, timeout_s=2.0)
        self._stack.push_async_callback(made.close)
        self._publishers.append(made)
        return made

    async def consumer(self) -> RabbitConsumer:
        made = await open_consumer(self.amqp_url, prefix=self.prefix)
        self._stack.push_async_callback(made.close)
        return made

    async def put_garbage(self, body: bytes) -> None:
        await self.publisher()
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            name = queue_name(self.prefix, Lane.LIVE)
            await channel.default_exchange.publish(aio_pika.Message(body), routing_key=name)

    async def dead_count(self) -> int:
        """Dead-lettering happens a moment later; a few looks are enough."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(dead_name(self.prefix))
            found = 0
            while await queue.get(no_ack=True, fail=False, timeout=2) is not None:
                found += 1
            self._counted = getattr(self, "_counted", 0) + found
            return self._counted

    async def go_away(self) -> None:
        for one in self._publishers:
            await one.close()


class TestRabbitQueue(QueueContract):
    @pytest.fixture
    async def broker(self, servers: dict[str, str]) -> AsyncIterator[RabbitUnderTest]:
        async with AsyncExitStack() as stack:
            yield RabbitUnderTest(servers["amqp"], stack)


async def test_a_message_to_a_missing_queue_is_not_safe(servers: dict[str, str]) -> None:
    async with AsyncExitStack() as stack:
        broker = RabbitUnderTest(servers["amqp"], stack)
        publisher = await broker.publisher()
        async with await aio_pika.connect(servers["amqp"]) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue_name(broker.prefix, Lane.LIVE))
        with pytest.raises(QueueUnavailable):
            await publisher.publish(message("lost"))


async def test_a_broker_that_cannot_be_reached_is_said_so() -> None:
    with pytest.raises(QueueUnavailable):
        await open_publisher("amqp://nobody:nothing@127.0.0.1:1/")
