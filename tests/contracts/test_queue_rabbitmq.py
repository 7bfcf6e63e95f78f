"""RabbitMQ keeps the queue's promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import aio_pika
import pytest

from schemas.events import Lane
from services.hints import QueueUnavailable
from services.queue.consumer import RabbitConsumer, open_consumer
from services.queue.publisher import RabbitPublisher, open_publisher
from services.queue.topology import dead_name, queue_name
from tests.contracts.line import Line
from tests.contracts.queue_contract import QueueContract, message

PUBLISH_WITHIN_S, TRUST_AGAIN_S = 2.0, 1.0
BACK_WITHIN_S = 20.0


class RabbitUnderTest:
    """Queues of their own on a real broker."""

    def __init__(self, amqp_url: str, stack: AsyncExitStack) -> None:
        self.amqp_url = amqp_url
        self.prefix = f"test-{uuid4().hex[:8]}"
        self._stack = stack
        self._publishers: list[RabbitPublisher] = []

    async def publisher(self) -> RabbitPublisher:
        made = await open_publisher(
            self.amqp_url, prefix=self.prefix, timeout_s=PUBLISH_WITHIN_S, trust_again_s=TRUST_AGAIN_S
        )
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
        """Those that were counted before, and those that have come since."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(dead_name(self.prefix))
            found = 0
            while await queue.get(no_ack=True, fail=False) is not None:
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


@pytest.fixture
async def line(servers: dict[str, str]) -> AsyncIterator[Line]:
    """A line to the broker."""
    made = Line(servers["amqp"])
    yield made
    await made.close()


async def test_a_broker_that_falls_silent_fails_the_publish_in_time(line: Line) -> None:
    async with AsyncExitStack() as stack:
        publisher = await RabbitUnderTest(await line.open(), stack).publisher()
        line.fall_silent()
        started = time.monotonic()
        for name in ("one", "two"):
            with pytest.raises(QueueUnavailable):
                await publisher.publish(message(name))
        took_s = time.monotonic() - started
        ready = publisher.ready
        line.speak()
        await publish_until_confirmed(publisher, "three")

        assert took_s < 2 * PUBLISH_WITHIN_S + 0.5
        assert (ready, publisher.ready) == (False, True)


async def test_a_cut_line_is_mended_and_a_late_acknowledgement_costs_only_a_second_look(line: Line) -> None:
    async with AsyncExitStack() as stack:
        broker = RabbitUnderTest(await line.open(), stack)
        publisher, consumer = await broker.publisher(), await broker.consumer()
        await publisher.publish(message("in hand"))
        (in_hand,) = await consumer.collect(100, 0.1, 2.0)
        line.cut()
        await in_hand.done()
        await publish_until_confirmed(publisher, "after")
        found = await collected_until(consumer, {"in hand", "after"})

        assert found["in hand"]
        assert (publisher.ready, consumer.ready) == (True, True)


async def test_a_line_cut_again_and_again_loses_no_confirmed_message(line: Line) -> None:
    async with AsyncExitStack() as stack:
        broker = RabbitUnderTest(await line.open(), stack)
        publisher, consumer = await broker.publisher(), await broker.consumer()
        for turn in range(3):
            await publish_until_confirmed(publisher, f"turn {turn}")
            line.cut()
        found = await collected_until(consumer, {"turn 0", "turn 1", "turn 2"})

        assert set(found) == {"turn 0", "turn 1", "turn 2"}
        assert await broker.dead_count() == 0


async def test_readiness_comes_back_although_nobody_publishes(line: Line) -> None:
    async with AsyncExitStack() as stack:
        publisher = await RabbitUnderTest(await line.open(), stack).publisher()
        line.fall_silent()
        with pytest.raises(QueueUnavailable):
            await publisher.publish(message("one"))
        assert not publisher.ready
        line.speak()
        async with asyncio.timeout(BACK_WITHIN_S):
            await until(lambda: publisher.ready)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it holds."""
    turned = asyncio.Event()
    while not holds():
        turned.clear()
        asyncio.get_running_loop().call_later(0.05, turned.set)
        await turned.wait()


async def publish_until_confirmed(publisher: RabbitPublisher, name: str) -> None:
    """Publish as a sender does that comes back after a 503."""
    deadline_s = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            await publisher.publish(message(name))
            return
        except QueueUnavailable:
            assert time.monotonic() < deadline_s, "the publisher did not come back"


async def collected_until(consumer: RabbitConsumer, wanted: set[str]) -> dict[str, bool]:
    """Receive and settle until the wanted messages have come; whether each was handed out before."""
    found: dict[str, bool] = {}
    deadline_s = time.monotonic() + BACK_WITHIN_S
    while not wanted <= set(found):
        assert time.monotonic() < deadline_s, f"only {sorted(found)} came"
        for received in await consumer.collect(100, 0.1, 1.0):
            found[received.message.id] = received.redelivered
            await received.done()
    return found
