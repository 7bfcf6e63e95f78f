"""What one pass over a batch stores: links, the ledger, conflicts, retries. One commit is one transaction."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from schemas.events import Happening
from schemas.links import Link
from schemas.plans import Loser
from schemas.records import FieldValue, ObjectType, System


class LinkUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The new content of a link. ``link.row_version`` and ``link.fence`` are those that were leased.

    The update is dropped, and the link reported as lost, when the row has moved on. ``absorb_link_id`` names an
    unlinked row of the same connection and type whose record becomes part of this link; it is deleted first, and
    the update is lost as well when that row is no longer free. ``release`` ends the lease.
    """

    link: Link
    absorb_link_id: int = 0
    release: bool = False


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger, append-only. ``stage`` is ``decided`` (before any write) or ``done`` (after it)."""

    link_id: int
    stage: str
    action: str
    reason: str
    detail: dict[str, Any]
    causes: tuple[str, ...] = ()


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A value that lost, or a record-level conflict (``field`` empty); visible and restorable."""

    link_id: int
    field: str
    rule: str
    loser: Loser | None = None
    winner_value: FieldValue | None = None
    winner: System | None = None


class HeldField(msgspec.Struct, frozen=True, kw_only=True):
    """A value that may not or cannot travel. It holds only its field."""

    link_id: int
    field: str
    towards: System
    reason: str


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Look at this record again after ``delay_s``.

    ``category`` names the kind of trouble; attempts are counted by the row.
    """

    connection_id: int
    object_type: ObjectType
    system: System
    record_id: str
    category: str
    reason: str
    delay_s: float
    happening: Happening = Happening.LOOK
    pull: bool = False
    push: bool = False
    run_id: int = 0


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A record that waits for a person, with the reason in words and without values."""

    connection_id: int
    object_type: ObjectType
    system: System
    record_id: str
    category: str
    reason: str


class RunCount(StrEnum):
    """What a manual run counts."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    BLOCKED = "blocked"
    FAILED = "failed"


class RecordKey(msgspec.Struct, frozen=True):
    """A record as hints name it."""

    connection_id: int
    object_type: ObjectType
    system: System
    record_id: str


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one step of a pass stores, in one transaction.

    Rows that belong to a lost link (``link_id``) are dropped with it. ``settled`` keys lose their retry row,
    ``unparked`` keys their parking row.
    ``run_counts`` maps run id to what is to be added. ``held_cleared`` lists (link id, field) pairs that travel again.
    """

    updates: tuple[LinkUpdate, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    held: tuple[HeldField, ...] = ()
    held_cleared: tuple[tuple[int, str], ...] = ()
    retries: tuple[Retry, ...] = ()
    settled: tuple[RecordKey, ...] = ()
    unparked: tuple[RecordKey, ...] = ()
    parked: tuple[Parked, ...] = ()
    run_counts: dict[int, dict[RunCount, int]] = {}
