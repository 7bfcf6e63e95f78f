"""The in-memory twin of the queue: same promises, for unit tests and simulation. It passes the same behaviour suite."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.events import HintMessage, Lane, decode_message, encode_message
from services.hints import QueueUnavailable
from services.queue.gathering import Basket
from services.queue.topology import DELIVERY_LIMIT


@dataclass
class Stored:
    """A message in the broker and how often it was handed out."""

    body: bytes
    deliveries: int = 0


@dataclass
class MemoryBroker:
    """A broker in a variable. ``away`` makes every call fail as if it could not be reached."""

    lanes: dict[Lane, deque[Stored]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    dead: list[bytes] = field(default_factory=list)
    away: bool = False
    consumers: list[MemoryConsumer] = field(default_factory=list)

    def deliver(self) -> None:
        """Hand waiting messages to the first consumer; those over the delivery limit are dead."""
        if not self.consumers:
            return
        for lane, waiting in self.lanes.items():
            while waiting and self.consumers[0].takes(lane):
                stored = waiting.popleft()
                if stored.deliveries > DELIVERY_LIMIT:
                    self.dead.append(stored.body)
                    continue
                stored.deliveries += 1
                self.consumers[0].receive(lane, stored)


class MemoryPublisher:
    """Puts messages into a MemoryBroker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def publish(self, message: HintMessage, lane: Lane = Lane.LIVE) -> None:
        """Store the message. Raises QueueUnavailable while the broker is away."""
        if self._broker.away:
            raise QueueUnavailable("the broker is away")
        self._broker.lanes[lane].append(Stored(encode_message(message)))
        self._broker.deliver()

    @property
    def ready(self) -> bool:
        """Whether the broker is there."""
        return not self._broker.away


class MemoryMessage:
    """A message in hand."""

    def __init__(self, consumer: MemoryConsumer, lane: Lane, stored: Stored) -> None:
        self._consumer = consumer
        self._lane = lane
        self.stored = stored
        self._message = decode_message(stored.body)

    @property
    def message(self) -> HintMessage:
        """The hints in it."""
        return self._message

    @property
    def lane(self) -> Lane:
        """Where it came from."""
        return self._lane

    @property
    def redelivered(self) -> bool:
        """Whether it was handed out before."""
        return self.stored.deliveries > 1

    async def done(self) -> None:
        """Settle it."""
        self._consumer.settle(self)

    async def refuse(self) -> None:
        """Dead-letter it."""
        self._consumer.settle(self)
        self._consumer.broker.dead.append(self.stored.body)


class MemoryConsumer:
    """Takes messages out of a MemoryBroker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self._basket: Basket[MemoryMessage] = Basket()
        self._unsettled: list[MemoryMessage] = []
        self._open: set[Lane] = set()
        broker.consumers.append(self)
        broker.deliver()

    def takes(self, lane: Lane) -> bool:
        """Whether another message may be in hand: one at a time until a fresh one has come."""
        return lane in self._open or not any(message.lane is lane for message in self._unsettled)

    def receive(self, lane: Lane, stored: Stored) -> None:
        """The broker hands a message over; one that cannot be read is dead at once."""
        try:
            message = MemoryMessage(self, lane, stored)
        except ValueError:
            self.broker.dead.append(stored.body)
            return
        if not message.redelivered:
            self._open.add(lane)
        self._unsettled.append(message)
        self._basket.put(message)

    def settle(self, message: MemoryMessage) -> None:
        """Forget a message that is done; settling twice does no harm."""
        if message in self._unsettled:
            self._unsettled.remove(message)
            self.broker.deliver()

    async def collect(self, max_hints: int, window_s: float, timeout_s: float) -> Sequence[MemoryMessage]:
        """An armful of messages, live ones first. Raises QueueUnavailable while the broker is away."""
        if self.broker.away:
            raise QueueUnavailable("the broker is away")
        return await self._basket.collect(max_hints, window_s, timeout_s)

    @property
    def ready(self) -> bool:
        """Whether messages can arrive."""
        return not self.broker.away

    async def close(self) -> None:
        """Stop as a crash would: everything unsettled goes back, in order."""
        self._basket.clear()
        self.broker.consumers.remove(self)
        for message in reversed(self._unsettled):
            self.broker.lanes[message.lane].appendleft(message.stored)
        self._unsettled.clear()
        self.broker.deliver()
