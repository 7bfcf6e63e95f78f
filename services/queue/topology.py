"""The queues: two lanes and the dead letters, all durable quorum queues. Valid on RabbitMQ 3.10 and 4.x.

The delivery limit and the dead-letter exchange are explicit, because their defaults differ between versions and a
message over the limit without an exchange is lost. A full queue refuses publishers instead of dropping messages.
"""

from __future__ import annotations

from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractQueue

from schemas.events import Lane

DELIVERY_LIMIT = 5
MOST_MESSAGES = 1_000_000


def queue_name(prefix: str, lane: Lane) -> str:
    """The queue of a lane, ``hints.live`` or ``hints.bulk`` by default."""
    return f"{prefix}.{lane.value}"


def dead_name(prefix: str) -> str:
    """The exchange and queue of dead letters, ``hints.dead`` by default."""
    return f"{prefix}.dead"


async def declare(channel: AbstractChannel, prefix: str) -> dict[Lane, AbstractQueue]:
    """Declare everything; safe to repeat. Returns the queue of each lane."""
    dead = await channel.declare_exchange(dead_name(prefix), ExchangeType.FANOUT, durable=True)
    graveyard = await channel.declare_queue(dead_name(prefix), durable=True, arguments={"x-queue-type": "quorum"})
    await graveyard.bind(dead)
    return {
        lane: await channel.declare_queue(queue_name(prefix, lane), durable=True, arguments=_arguments(prefix))
        for lane in Lane
    }


def _arguments(prefix: str) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": dead_name(prefix),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": MOST_MESSAGES,
    }
