"""Take messages out of the lanes; they stay in the queue until they are settled.

A lane begins with a single message in hand. As long as redelivered ones come, which may have ended a worker before,
it stays so: should one of them do it again, no other message is counted as delivered with it (the broker's delivery
limit counts everything in hand). The first fresh message opens the lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aio_pika
import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, AbstractRobustConnection

from schemas.events import HintMessage, Lane, decode_message
from services.hints import QueueUnavailable
from services.queue.gathering import Basket
from services.queue.topology import declare
from services.telemetry import dead_messages_total, log

CONNECT_TIMEOUT_S = 5.0
SETTLE_TIMEOUT_S = 5.0
PREFETCH = {Lane.LIVE: 200, Lane.BULK: 8}
"""Messages, not hints: live ones are small and many, bulk ones carry a hundred hints each."""


class RabbitMessage:
    """A message in hand."""

    def __init__(self, incoming: AbstractIncomingMessage, lane: Lane, message: HintMessage) -> None:
        self._incoming = incoming
        self._lane = lane
        self._message = message

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
        return bool(self._incoming.redelivered)

    async def done(self) -> None:
        """Acknowledge. When the connection is gone, the broker delivers again, which costs a look and no more."""
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self._incoming.ack()
        except (aio_pika.exceptions.AMQPError, RuntimeError, OSError, TimeoutError) as error:
            log.warning("acknowledgement_lost", error=type(error).__name__)

    async def refuse(self) -> None:
        """Dead-letter it."""
        dead_messages_total.inc()
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT_S):
                await self._incoming.reject(requeue=False)
        except (aio_pika.exceptions.AMQPError, RuntimeError, OSError, TimeoutError) as error:
            log.warning("rejection_lost", error=type(error).__name__)


@dataclass(frozen=True)
class Narrow:
    """A lane that takes one message at a time."""

    channel: AbstractChannel
    queue: AbstractQueue
    tag: str


class RabbitConsumer:
    """Consumes both lanes. Made by ``open_consumer``."""

    def __init__(self, connection: AbstractRobustConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._basket: Basket[RabbitMessage] = Basket()
        self._narrow: dict[Lane, Narrow] = {}
        self._channels: dict[Lane, AbstractChannel] = {}

    async def start(self) -> None:
        """Begin to receive."""
        self._connection.close_callbacks.add(lambda *_: self._basket.clear())
        await self._open_lanes()

    async def _open_lanes(self) -> None:
        """One channel a lane. Called again when channels did not come back with the connection."""
        for lane in Lane:
            channel = await self._connection.channel()
            self._channels[lane] = channel
            queues = await declare(channel, self._prefix)
            await channel.set_qos(prefetch_count=1)
            tag = await queues[lane].consume(self._receiver(lane))
            self._narrow[lane] = Narrow(channel, queues[lane], tag)

    async def _open_lane(self, lane: Lane) -> None:
        """Let many messages be in hand from now on. A changed prefetch holds for new consumers only."""
        narrow = self._narrow.pop(lane, None)
        if narrow is not None:
            await narrow.channel.set_qos(prefetch_count=PREFETCH[lane])
            await narrow.queue.consume(self._receiver(lane))
            await narrow.queue.cancel(narrow.tag)

    def _receiver(self, lane: Lane) -> Callable[[AbstractIncomingMessage], Awaitable[None]]:
        async def receive(incoming: AbstractIncomingMessage) -> None:
            try:
                message = decode_message(incoming.body)
            except (msgspec.ValidationError, msgspec.DecodeError):
                log.error("unreadable_message", lane=lane.value)
                dead_messages_total.inc()
                await incoming.reject(requeue=False)
                return
            self._basket.put(RabbitMessage(incoming, lane, message))
            if not incoming.redelivered:
                await self._open_lane(lane)

        return receive

    async def collect(self, max_hints: int, window_s: float, timeout_s: float) -> Sequence[RabbitMessage]:
        """An armful of messages, live ones first. Raises QueueUnavailable when the connection was closed for good."""
        if self._connection.is_closed:
            raise QueueUnavailable("the connection was closed")
        await self._reopen_closed_lanes()
        return await self._basket.collect(max_hints, window_s, timeout_s)

    async def _reopen_closed_lanes(self) -> None:
        """After an orderly shutdown of the broker the connection comes back, its channels do not."""
        if not self._connection.connected.is_set() or not any(one.is_closed for one in self._channels.values()):
            return
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._open_lanes()
        except (OSError, aio_pika.exceptions.AMQPError, TimeoutError, RuntimeError) as error:
            raise QueueUnavailable(f"the lanes could not be opened: {type(error).__name__}") from error

    @property
    def ready(self) -> bool:
        """Whether messages can arrive."""
        return self._connection.connected.is_set()

    async def close(self) -> None:
        """Stop; what was not settled goes back to the queue."""
        await self._connection.close()


async def open_consumer(amqp_url: str, *, prefix: str = "hints") -> RabbitConsumer:
    """Connect, declare and start. Raises QueueUnavailable when the broker cannot be reached."""
    try:
        connection = await aio_pika.connect_robust(amqp_url, timeout=CONNECT_TIMEOUT_S, reconnect_interval=1)
        assert isinstance(connection, AbstractRobustConnection)
        consumer = RabbitConsumer(connection, prefix)
        await consumer.start()
    except (OSError, aio_pika.exceptions.AMQPError, TimeoutError) as error:
        raise QueueUnavailable(f"the broker cannot be reached: {type(error).__name__}") from error
    return consumer
