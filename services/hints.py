"""The port: what any queue of hints can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from schemas.events import HintMessage, Lane


class QueueUnavailable(Exception):
    """The message is not safe in the queue: the sender has to try again or say so to its own caller."""


class HintPublisher(Protocol):
    """Puts messages into the queue."""

    async def publish(self, message: HintMessage, lane: Lane = Lane.LIVE) -> None:
        """Return once the broker has confirmed the persistent message. Raises QueueUnavailable, within seconds."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a publish can be expected to succeed now."""
        ...


class ReceivedMessage(Protocol):
    """One message in our hands. It stays in the queue until it is settled."""

    @property
    def message(self) -> HintMessage:
        """The hints in it."""
        ...

    @property
    def lane(self) -> Lane:
        """Where it came from."""
        ...

    @property
    def redelivered(self) -> bool:
        """Whether it was handed out before, perhaps to a worker that crashed on it."""
        ...

    async def done(self) -> None:
        """Settle it: everything in it is stored. A lost acknowledgement only means a second look."""
        ...

    async def refuse(self) -> None:
        """Dead-letter it: it can never be understood."""
        ...


class HintConsumer(Protocol):
    """Takes messages out of the queue, live ones before bulk ones."""

    async def collect(self, max_hints: int, window_s: float, timeout_s: float) -> Sequence[ReceivedMessage]:
        """Wait up to ``timeout_s`` for a first message, then gather more for ``window_s`` or until ``max_hints`` hints.

        Never mixes lanes in one answer. An empty answer means nothing came. Raises QueueUnavailable.
        """
        ...

    @property
    def ready(self) -> bool:
        """Whether messages can be expected to arrive."""
        ...
