"""What travels through the queue: hints. A hint says "look at this record", never what to write.

Hints carry ids, names of fields and times, no values: personal data stays out of the broker.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from schemas.records import ObjectType, System

MESSAGE_VERSION: Literal[1] = 1


class Happening(StrEnum):
    """What was seen. It may bring a look forward; what is done is decided from the records themselves."""

    CHANGED = "changed"
    CREATED = "created"
    DELETED = "deleted"
    RESTORED = "restored"
    MERGED = "merged"
    ASSOCIATED = "associated"
    ERASED = "erased"
    LOOK = "look"


class Cause(StrEnum):
    """Who sent the hint."""

    WEBHOOK = "webhook"
    POLL = "poll"
    RUN = "run"
    RETRY = "retry"
    VERIFY = "verify"
    ADMIN = "admin"


class Lane(StrEnum):
    """Live edits overtake bulk runs."""

    LIVE = "live"
    BULK = "bulk"


class Hint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record to look at, named by system, type and id, because a new record has no link yet.

    ``own`` is True when the event names this app as its author (an echo), False for anybody else, None when unknown.
    ``survivor_id`` and ``absorbed_ids`` come with merges; ``version`` with falcana's events.
    ``run_id`` ties the hint to a manual run, ``pull``/``push`` allow that direction for this look whatever the
    switches say.
    """

    connection_id: int
    object_type: ObjectType
    system: System
    record_id: str
    happening: Happening = Happening.LOOK
    cause: Cause = Cause.WEBHOOK
    fields: tuple[str, ...] = ()
    occurred_ms: int = 0
    own: bool | None = None
    version: int = 0
    survivor_id: str = ""
    absorbed_ids: tuple[str, ...] = ()
    run_id: int = 0
    pull: bool = False
    push: bool = False


class HintMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message of the queue: all hints of one request, page or retry sweep. ``id`` is a request id for the logs."""

    version: Literal[1] = MESSAGE_VERSION
    id: str
    accepted_ms: int
    hints: tuple[Hint, ...]


def encode_message(message: HintMessage) -> bytes:
    """A message as JSON bytes, described by schemas/payloads/hint-message.schema.json."""
    return msgspec.json.encode(message)


_decoder = msgspec.json.Decoder(HintMessage)


def decode_message(body: bytes) -> HintMessage:
    """Bytes from the queue as a message. Raises msgspec.ValidationError or DecodeError on anything else."""
    return _decoder.decode(body)
