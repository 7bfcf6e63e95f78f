"""The port: what any CRM can do for us, in batches, and how it fails.

Errors are named by what the caller does next. Failures of one record in a batch are *results*, never exceptions:
an exception means that the whole call failed and nothing is known about any record of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from schemas.records import FieldValue, ObjectType, System
from schemas.seen import SideSeen


class CrmError(Exception):
    """A call that failed as a whole."""


class Unavailable(CrmError):
    """The system cannot answer now, or the answer was lost: nothing is known. Look again later."""


class RateLimited(Unavailable):
    """The system asked us to slow down for ``retry_after_s`` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Denied(CrmError):
    """Credentials, scopes or rights are missing: a person has to act. Nothing is lost meanwhile."""


class Refused(CrmError):
    """The system understood the call and will never accept it: a fault of ours, shown to a person."""


class FeedExpired(CrmError):
    """The position in the change feed is too old: compare everything, never push blindly (Q16)."""


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One record to be written. ``ref`` is ours and comes back with the result (a link id).

    ``record_id`` is empty for a create. ``values`` maps our field names to values; an empty value clears the field.
    ``version`` is falcana's lock number. ``marker`` is the other side's id, to be stored on the record, empty for none.
    ``parent_id`` is the raw id of the person's company on that side; None leaves the relation alone, "" removes it.
    ``former_parent_id`` is the relation that ``parent_id`` replaces.
    """

    ref: int
    record_id: str = ""
    values: Mapping[str, FieldValue] = {}
    version: int = 0
    marker: str = ""
    parent_id: str | None = None
    former_parent_id: str = ""
    idempotency_key: str = ""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """It was written. ``seen`` holds what the system returned: those values are the new shadows, never the sent ones.

    ``created`` is False where a create met a record that an earlier attempt had made. ``parent_written`` tells whether
    the relation is in place. ``refused`` maps fields that this record would not take to the reason; the rest was
    written.
    """

    ref: int
    seen: SideSeen
    created: bool = False
    parent_written: bool = False
    refused: Mapping[str, str] = {}


class Outdated(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was faster: read both sides again."""

    ref: int


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """The record was not found, was merged away or was left out of the answer: read it again."""

    ref: int


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A unique value (an e-mail) belongs to the record ``holder_id`` (empty when the system does not say)."""

    ref: int
    field: str
    holder_id: str = ""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The system refuses this record for good; ``reason`` is for a person, without values."""

    ref: int
    reason: str
    fields: Mapping[str, str] = {}


class Unclear(msgspec.Struct, frozen=True, kw_only=True):
    """It may or may not have been written: observe before anything else."""

    ref: int
    reason: str = ""


WriteResult = Written | Outdated | Gone | Taken | Rejected | Unclear


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a change listing: which record, and the date or version by which it can be known already.

    ``own`` is True for our own writes where the system says so. ``gone`` marks deletes and merges (falcana's feed).
    """

    record_id: str
    modified_ms: int
    version: int = 0
    own: bool | None = None
    gone: bool = False
    survivor_id: str = ""
    restored: bool = False
    fields: tuple[str, ...] = ()


class ChangePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of changes with the position after it. ``position`` is opaque to the caller and storable."""

    changes: Sequence[Changed]
    position: str
    more: bool


class Crm(Protocol):
    """One side. Every method raises the errors above when the call fails as a whole."""

    @property
    def system(self) -> System:
        """Which side this is."""
        ...

    async def read(
        self, object_type: ObjectType, record_ids: Sequence[str], *, history: bool = False
    ) -> dict[str, SideSeen]:
        """Every asked id with what was seen of it: present, archived, deleted, merged or hidden; never left out."""
        ...

    async def find(self, object_type: ObjectType, wanted: Mapping[int, Mapping[str, str]]) -> dict[int, list[SideSeen]]:
        """Candidates for each ref. ``wanted`` gives search keys by kind: ``marker``, ``email``, ``vat_id``, ``domain``.

        The keys are canonical. A ref without candidates has an empty list.
        """
        ...

    async def create(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Create records so that a repeat can never create twice."""
        ...

    async def update(self, object_type: ObjectType, writes: Sequence[Write]) -> list[WriteResult]:
        """Write only the given fields of existing records."""
        ...

    async def archive(self, object_type: ObjectType, record_ids: Sequence[str]) -> dict[str, bool]:
        """Archive records; True means gone (also when it was gone before)."""
        ...

    async def changes(self, object_type: ObjectType, position: str, now_ms: int) -> ChangePage:
        """The next page of changes after ``position`` ("" starts at the present). Raises FeedExpired."""
        ...

    async def present_position(self, object_type: ObjectType, now_ms: int) -> str:
        """The position from which changes have to be read so that nothing after this moment is missed."""
        ...

    def rewound(self, position: str, overlap_s: float) -> str:
        """A position earlier by the overlap that this system's change listing needs.

        It may list late or out of order.
        """
        ...

    def furthest(self, one: str, other: str) -> str:
        """The later of two positions, so that a checkpoint never moves back."""
        ...

    def everything(self, object_type: ObjectType) -> AsyncIterator[Sequence[Changed]]:
        """All records, page by page, for a first or full run."""
        ...
