"""A link: one thing that exists on both sides, and what we remember of it.

Three trees meet here. ``SideState.shadow`` is what a side last showed or returned; ``Register`` is what both
sides are meant to hold and when the *edit* behind it happened; ``intents`` are values about to be written.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.records import FieldValue, ObjectType, System


class LinkState(StrEnum):
    """Where a link stands; the transitions are drawn in docs/states.md."""

    UNLINKED = "unlinked"
    LINKED = "linked"
    HUBSPOT_DELETED = "hubspot_deleted"
    FALCANA_DELETED_PENDING = "falcana_deleted_pending"
    HELD = "held"
    TRANSFERRED = "transferred"
    CLOSED = "closed"


class Register(msgspec.Struct, frozen=True):
    """The agreed value of a field, when its edit was made (ms, clock of ``origin``), and on which side."""

    value: FieldValue
    time_ms: int
    origin: System


class SideState(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember of one field on one side.

    ``shadow`` None means never agreed. ``seen_ms``: edits up to here are known. ``refused`` is the canon of a value
    that this side would not take; it is not offered again until another value is due.
    """

    shadow: FieldValue | None = None
    intents: tuple[FieldValue, ...] = ()
    seen_ms: int = 0
    refused: str = ""


class FieldState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything remembered of one field."""

    hubspot: SideState = SideState()
    falcana: SideState = SideState()
    agreed: Register | None = None

    def on(self, system: System) -> SideState:
        """The memory of one side."""
        return self.hubspot if system is System.HUBSPOT else self.falcana


NO_MEMORY = FieldState()


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the link table. ``row_version`` and ``fence`` guard it against another worker's late answer.

    ``hubspot_modified_ms`` and ``falcana_version`` are those of our last look or write; equal means nothing happened
    since.
    ``unverified``: an own HubSpot write under which a person's edit could be buried; cleared by a read with history.
    ``reason`` says in a word why the state is what it is. ``parked`` keeps every automatic action away.
    """

    id: int
    connection_id: int
    object_type: ObjectType
    hubspot_id: str | None = None
    falcana_id: str | None = None
    state: LinkState = LinkState.UNLINKED
    fields: dict[str, FieldState] = {}
    hubspot_modified_ms: int = 0
    falcana_modified_ms: int = 0
    falcana_version: int = 0
    unverified: bool = False
    erased: bool = False
    parked: bool = False
    reason: str = ""
    row_version: int = 0
    fence: int = 0

    def id_on(self, system: System) -> str | None:
        """The record id on one side, None where there is no record yet."""
        return self.hubspot_id if system is System.HUBSPOT else self.falcana_id

    def memory(self, field: str) -> FieldState:
        """What is remembered of a field; an empty memory for a field never seen."""
        return self.fields.get(field, NO_MEMORY)
