"""What one read of one side returned. An observation is not a fact about the future, only about that moment."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.records import FieldValue, System


class Presence(StrEnum):
    """Whether a record is there. "Not found" and "could not ask" are never the same."""

    NONE = "none"  # this side has no record yet
    PRESENT = "present"
    ARCHIVED = "archived"  # in HubSpot's recycle bin, restorable
    DELETED = "deleted"  # confirmed: a tombstone, or gone from HubSpot altogether
    MERGED = "merged"  # lives on inside another record, see survivor_id
    HIDDEN = "hidden"  # not visible and not known to be deleted: never a delete
    UNKNOWN = "unknown"  # could not be asked


class Edit(msgspec.Struct, frozen=True):
    """One entry of a field's history. ``own`` marks a write of this service."""

    value: FieldValue
    time_ms: int
    own: bool


class FieldTime(msgspec.Struct, frozen=True):
    """When a field was last changed, and whether by this service."""

    time_ms: int
    own: bool


class SideSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One side of one record as read.

    ``record_id`` is the id that answered and may differ from the one asked for (HubSpot merges).
    ``modified_ms`` is the date the system shows for the record; ``edited_ms`` the newest modification that
    was not ours, as far as the system tells. ``version`` is falcana's lock number, 0 where there is none.
    ``history`` is newest first per field, None when it was not read; ``field_times`` is the newest change per field.
    ``marker`` is the other side's id as stored on this record. ``parent_id`` is the raw id of a person's company.
    ``keys`` are comparable search keys: ``email``, ``vat_id``, ``domain``, and ``name`` (folded, legal form kept).
    """

    presence: Presence
    record_id: str = ""
    values: dict[str, FieldValue] = {}
    modified_ms: int = 0
    edited_ms: int = 0
    version: int = 0
    history: dict[str, tuple[Edit, ...]] | None = None
    field_times: dict[str, FieldTime] = {}
    marker: str = ""
    parent_id: str = ""
    survivor_id: str = ""
    absorbed_ids: tuple[str, ...] = ()
    deleted_ms: int = 0
    erased: bool = False
    holder: bool = False  # a falcana Privatperson Adresse: never a company in HubSpot (Q8, Q9)
    keys: dict[str, str] = {}  # how the record can be recognised: email, vat_id (valid ones only), domain, name

    @property
    def present(self) -> bool:
        """Whether the record was there to be read."""
        return self.presence is Presence.PRESENT


NOTHING_THERE = SideSeen(presence=Presence.NONE)
NOT_ASKED = SideSeen(presence=Presence.UNKNOWN)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides of one record. ``frozen_fields`` maps fields that may not move now to the reason why."""

    hubspot: SideSeen = NOTHING_THERE
    falcana: SideSeen = NOTHING_THERE
    frozen_fields: dict[str, str] = {}

    def on(self, system: System) -> SideSeen:
        """The observation of one side."""
        return self.hubspot if system is System.HUBSPOT else self.falcana
