"""A real broker that dies under the receiver: 503 in time, and 200 again once it is back."""

from __future__ import annotations

import asyncio
import time

import pytest

from schemas.events import HintMessage, Lane
from services.embedded.rabbitmq import RabbitMq
from services.hints import QueueUnavailable
from services.queue.consumer import RabbitConsumer, open_consumer
from services.queue.publisher import open_publisher

ANSWER_WITHIN_S = 4.0
BACK_WITHIN_S = 40.0


@pytest.mark.servers
async def test_a_killed_broker_fails_the_publish_in_time_and_loses_no_confirmed_message() -> None:
    broker = RabbitMq()
    try:
        await asyncio.to_thread(broker.start)
        publisher = await open_publisher(broker.url, timeout_s=3.5)
        steady = await open_consumer(broker.url)
        await asyncio.to_thread(broker.stop)  # an orderly restart first: a queue declared a moment ago may be lost else
        await asyncio.to_thread(broker.start)
        await publish_until_confirmed(publisher, "kept")

        await asyncio.to_thread(broker.kill)
        started = time.monotonic()
        with pytest.raises(QueueUnavailable):
            await publisher.publish(HintMessage(id="lost", accepted_ms=1, hints=()))
        assert time.monotonic() - started < ANSWER_WITHIN_S

        await asyncio.to_thread(broker.start)
        await publish_until_confirmed(publisher, "after")
        await receive_until(steady, {"kept", "after"})
        await steady.close()
        await publisher.close()
    finally:
        await asyncio.to_thread(broker.close)


async def receive_until(consumer: RabbitConsumer, wanted: set[str]) -> None:
    """Receive as a worker does, whatever happens to the broker, until the wanted messages have come."""
    found: set[str] = set()
    deadline = time.monotonic() + BACK_WITHIN_S
    while not wanted <= found:
        assert time.monotonic() < deadline, f"only {found} came back"
        for received in await consumer.collect(100, 0.2, 1.0):
            found.add(received.message.id)
            assert received.lane is Lane.LIVE
            await received.done()


async def publish_until_confirmed(publisher: object, name: str) -> None:
    """Publish as a sender does that comes back after a 503."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while True:
        try:
            await publisher.publish(HintMessage(id=name, accepted_ms=1, hints=()))  # type: ignore[attr-defined]
            return
        except QueueUnavailable:
            assert time.monotonic() < deadline, "the publisher did not come back"
