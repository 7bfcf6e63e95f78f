"""What any queue of hints promises. RabbitMQ and the in-memory twin pass the same suite."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from schemas.events import Hint, HintMessage, Lane
from schemas.records import ObjectType, System
from services.hints import HintConsumer, HintPublisher, QueueUnavailable

SOON_S = 2.0
WINDOW_S = 0.1
DEAD_WITHIN_S = 10.0


class Broker(Protocol):
    """A queue under test."""

    async def publisher(self) -> HintPublisher:
        """A new publisher."""
        ...

    async def consumer(self) -> Any:
        """A new consumer, with ``close``."""
        ...

    async def put_garbage(self, body: bytes) -> None:
        """Put a body into the live lane that is no message."""
        ...

    async def dead_count(self) -> int:
        """How many messages are dead now; a broker may take a moment to put them there."""
        ...

    async def go_away(self) -> None:
        """Become unreachable."""
        ...


def message(name: str, hints: int = 1) -> HintMessage:
    """A message with so many hints."""
    made = (
        Hint(connection_id=1, object_type=ObjectType.CONTACT, system=System.HUBSPOT, record_id=f"{name}-{number}")
        for number in range(hints)
    )
    return HintMessage(id=name, accepted_ms=1, hints=tuple(made))


async def names(consumer: HintConsumer, max_hints: int = 100) -> list[str]:
    """The messages of one armful, settled."""
    gathered = await consumer.collect(max_hints, WINDOW_S, SOON_S)
    for received in gathered:
        await received.done()
    return [received.message.id for received in gathered]


async def dead(broker: Broker, expected: int) -> int:
    """How many messages are dead, as soon as there are that many."""
    deadline_s = time.monotonic() + DEAD_WITHIN_S
    while (found := await broker.dead_count()) < expected and time.monotonic() < deadline_s:
        pass
    return found


class QueueContract:
    """The behaviour suite. A subclass provides ``broker``."""

    @pytest.fixture
    @abstractmethod
    def broker(self) -> AsyncIterator[Broker]:
        """The queue under test."""

    async def test_a_published_message_arrives_as_it_was(self, broker: Broker) -> None:
        publisher, consumer = await broker.publisher(), await broker.consumer()
        await publisher.publish(message("one", hints=3))
        (received,) = await consumer.collect(100, WINDOW_S, SOON_S)
        await received.done()

        assert (received.message, received.lane, received.redelivered) == (message("one", hints=3), Lane.LIVE, False)

    async def test_messages_wait_for_a_consumer(self, broker: Broker) -> None:
        publisher = await broker.publisher()
        for name in ("one", "two"):
            await publisher.publish(message(name))

        assert await names(await broker.consumer()) == ["one", "two"]

    async def test_an_empty_queue_answers_with_nothing(self, broker: Broker) -> None:
        assert await (await broker.consumer()).collect(100, 0.01, 0.01) == []

    async def test_live_messages_overtake_bulk_ones_and_lanes_are_never_mixed(self, broker: Broker) -> None:
        publisher = await broker.publisher()
        for number in range(3):
            await publisher.publish(message(f"bulk{number}"), Lane.BULK)
        await publisher.publish(message("live"), Lane.LIVE)
        consumer = await broker.consumer()
        first = await names(consumer)
        if first != ["live"]:  # the bulk lane may have been first to arrive, but then it came alone
            assert first == ["bulk0", "bulk1", "bulk2"]
            first = await names(consumer)

        assert first == ["live"]

    async def test_an_armful_holds_at_most_the_asked_number_of_hints(self, broker: Broker) -> None:
        publisher = await broker.publisher()
        for number in range(3):
            await publisher.publish(message(f"m{number}", hints=40))
        consumer = await broker.consumer()

        assert [await names(consumer), await names(consumer)] == [["m0", "m1"], ["m2"]]

    async def test_a_message_larger_than_the_armful_is_handed_out_alone(self, broker: Broker) -> None:
        await (await broker.publisher()).publish(message("large", hints=250))
        assert await names(await broker.consumer()) == ["large"]

    async def test_what_was_not_settled_comes_back_marked(self, broker: Broker) -> None:
        publisher, crashing = await broker.publisher(), await broker.consumer()
        await publisher.publish(message("one"))
        assert len(await crashing.collect(100, WINDOW_S, SOON_S)) == 1
        await crashing.close()
        (received,) = await (await broker.consumer()).collect(100, WINDOW_S, SOON_S)
        await received.done()

        assert received.redelivered

    async def test_suspects_are_handed_out_one_by_one(self, broker: Broker) -> None:
        publisher, crashing = await broker.publisher(), await broker.consumer()
        for number in range(3):
            await publisher.publish(message(f"m{number}"))
        await crashing.collect(100, WINDOW_S, SOON_S)
        await crashing.close()
        consumer = await broker.consumer()

        assert sorted([*await names(consumer), *await names(consumer), *await names(consumer)]) == ["m0", "m1", "m2"]

    async def test_a_message_that_ends_every_consumer_dies_alone(self, broker: Broker) -> None:
        publisher = await broker.publisher()
        for name in ("good1", "poison", "good2"):
            await publisher.publish(message(name))
        survived: list[str] = []
        for _life in range(20):
            consumer = await broker.consumer()
            while gathered := await consumer.collect(100, WINDOW_S, 0.5):
                if any(received.message.id == "poison" for received in gathered):
                    break
                for received in gathered:
                    await received.done()
                    survived.append(received.message.id)
            await consumer.close()
            if await broker.dead_count():
                break

        assert sorted(survived) == ["good1", "good2"]
        assert await dead(broker, 1) == 1

    async def test_a_body_nobody_can_read_is_dead_and_stops_nobody(self, broker: Broker) -> None:
        await broker.put_garbage(b"{not json")
        await broker.put_garbage(b'{"version":99,"id":"x","accepted_ms":1,"hints":[]}')
        await (await broker.publisher()).publish(message("good"))

        assert await names(await broker.consumer()) == ["good"]
        assert await dead(broker, 2) == 2

    async def test_a_refused_message_is_dead(self, broker: Broker) -> None:
        await (await broker.publisher()).publish(message("one"))
        (received,) = await (await broker.consumer()).collect(100, WINDOW_S, SOON_S)
        await received.refuse()

        assert await dead(broker, 1) == 1

    async def test_settling_twice_or_after_the_connection_is_gone_does_no_harm(self, broker: Broker) -> None:
        await (await broker.publisher()).publish(message("one"))
        consumer = await broker.consumer()
        (received,) = await consumer.collect(100, WINDOW_S, SOON_S)
        await consumer.close()
        await received.done()
        (again,) = await (await broker.consumer()).collect(100, WINDOW_S, SOON_S)
        await again.done()

        assert again.message == received.message

    async def test_a_publisher_says_when_the_message_is_not_safe(self, broker: Broker) -> None:
        publisher = await broker.publisher()
        await broker.go_away()
        with pytest.raises(QueueUnavailable):
            await publisher.publish(message("one"))
