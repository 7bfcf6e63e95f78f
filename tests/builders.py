"""Test data with only the fields that matter."""

from __future__ import annotations

from schemas.links import FieldState, Link, LinkState, Register, SideState
from schemas.records import EMPTY, FieldRule, FieldValue, Kind, ObjectType, System
from schemas.seen import Edit, FieldTime, Presence, Seen, SideSeen
from sync_worker.merge.rules import Rules

NAME = FieldRule(name="name", hubspot="name", falcana="name1", required_on=(System.FALCANA,))
CITY = FieldRule(name="city", hubspot="city", falcana="ort")
PHONE = FieldRule(name="phone", kind=Kind.PHONE, hubspot="phone", falcana="telefon")
NUMBER = FieldRule(name="number", hubspot="number", falcana="nummer", flows_to=(System.HUBSPOT,))
FIELDS = (NAME, CITY, PHONE)


def value(text: str) -> FieldValue:
    """A value whose spelling is its meaning."""
    return FieldValue(text, text) if text else EMPTY


def side(version: int = 1, edited_ms: int = 0, presence: Presence = Presence.PRESENT, **values: str) -> SideSeen:
    """One side as read."""
    return SideSeen(
        presence=presence,
        record_id="1",
        values={name: value(text) for name, text in values.items()},
        modified_ms=edited_ms,
        edited_ms=edited_ms,
        version=version,
        marker="1",
    )


def seen(hubspot: SideSeen, falcana: SideSeen) -> Seen:
    """Both sides."""
    return Seen(hubspot=hubspot, falcana=falcana)


def agreed(text: str, time_ms: int = 0, origin: System = System.FALCANA) -> FieldState:
    """A field both sides agree on."""
    shadow = SideState(shadow=value(text), seen_ms=time_ms)
    return FieldState(hubspot=shadow, falcana=shadow, agreed=Register(value(text), time_ms, origin))


def link(state: LinkState = LinkState.LINKED, **fields: FieldState) -> Link:
    """A link that knows these fields."""
    return Link(
        id=1,
        connection_id=1,
        object_type=ObjectType.COMPANY,
        hubspot_id="1",
        falcana_id="1",
        state=state,
        fields=fields,
    )


def rules(
    *, fields: tuple[FieldRule, ...] = FIELDS, pull: bool = True, push: bool = True, bound_ms: int = 2000
) -> Rules:
    """Rules with both directions on."""
    return Rules(fields=fields, pull=pull, push=push, skew_bound_ms=bound_ms)


def edit(text: str, time_ms: int, own: bool = False) -> Edit:
    """A line of a field's history."""
    return Edit(value(text), time_ms, own)


def field_time(time_ms: int, own: bool = False) -> FieldTime:
    """When a field was last changed."""
    return FieldTime(time_ms, own)
