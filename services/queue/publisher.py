"""Publish with confirm: when this returns, the message survives a crash of the broker."""

from __future__ import annotations

import asyncio

import aio_pika
from aio_pika.abc import AbstractRobustChannel, AbstractRobustConnection

from schemas.events import HintMessage, Lane, encode_message
from services.hints import QueueUnavailable
from services.queue.topology import declare, queue_name
from services.telemetry import publish_confirm_seconds, publish_failures_total

CONNECT_TIMEOUT_S = 5.0
RETURN_WITHIN_S = 0.5
"""How long a publish waits for a connection that is away, before it says so."""
TRUST_AGAIN_S = 10.0
"""How long a failure counts against readiness when nobody publishes meanwhile."""


class RabbitPublisher:
    """Puts messages into the lanes. Made by ``open_publisher``."""

    def __init__(
        self,
        connection: AbstractRobustConnection,
        channel: AbstractRobustChannel,
        prefix: str,
        timeout_s: float,
        trust_again_s: float = TRUST_AGAIN_S,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._trust_again_s = trust_again_s
        self._opening = asyncio.Lock()
        self._doubtful = False
        self._distrust_until_s = 0.0

    async def publish(self, message: HintMessage, lane: Lane = Lane.LIVE) -> None:
        """Return once the broker has the message on disk. Raises QueueUnavailable within the time-out.

        The broker may be away, block publishers for lack of disk or memory, refuse because the queue is full, or have
        no such queue: for the sender these are all the same.
        """
        body = aio_pika.Message(
            encode_message(message),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            content_type="application/json",
            message_id=message.id,
            type=f"hints.v{message.version}",
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                # A task, so that the loop turns even when it fails at once: a connection that has just died still
                # calls itself connected, and a sender that tries again would keep it from coming back.
                await asyncio.create_task(self._send(body, queue_name(self._prefix, lane)))
        except (TimeoutError, OSError, aio_pika.exceptions.AMQPError, RuntimeError, asyncio.InvalidStateError) as error:
            self._doubtful = True
            self._distrust_until_s = asyncio.get_running_loop().time() + self._trust_again_s
            publish_failures_total.inc()
            raise QueueUnavailable(f"not confirmed: {type(error).__name__}") from error
        self._distrust_until_s = 0.0

    async def _send(self, body: aio_pika.Message, queue: str) -> None:
        channel = await self._usable_channel()
        with publish_confirm_seconds.time():
            await channel.default_exchange.publish(body, routing_key=queue, mandatory=True)

    async def _usable_channel(self) -> AbstractRobustChannel:
        """The channel, a new one after a failure: a robust connection comes back after an orderly shutdown of the
        broker, its channels do not.
        """
        async with asyncio.timeout(RETURN_WITHIN_S):
            await self._connection.connected.wait()
        async with self._opening:
            if self._doubtful or self._channel.is_closed:
                channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                await declare(channel, self._prefix)
                assert isinstance(channel, AbstractRobustChannel)
                self._channel, self._doubtful = channel, False
            return self._channel

    @property
    def ready(self) -> bool:
        """Whether the connection stands and no publish failed lately.

        A failure is forgotten in time: who is not ready gets no request that could show that the broker is back.
        """
        trusted = asyncio.get_running_loop().time() >= self._distrust_until_s
        return self._connection.connected.is_set() and trusted

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


async def open_publisher(
    amqp_url: str, *, prefix: str = "hints", timeout_s: float = 3.5, trust_again_s: float = TRUST_AGAIN_S
) -> RabbitPublisher:
    """Connect and declare the queues. Raises QueueUnavailable when the broker cannot be reached."""
    try:
        connection = await aio_pika.connect_robust(amqp_url, timeout=CONNECT_TIMEOUT_S, reconnect_interval=1)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await declare(channel, prefix)
    except (OSError, aio_pika.exceptions.AMQPError, TimeoutError) as error:
        raise QueueUnavailable(f"the broker cannot be reached: {type(error).__name__}") from error
    assert isinstance(connection, AbstractRobustConnection)
    assert isinstance(channel, AbstractRobustChannel)
    return RabbitPublisher(connection, channel, prefix, timeout_s, trust_again_s)
