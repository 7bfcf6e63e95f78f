"""What happened, as webhook events (classic form) before they get an id and a subscription."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from services.sandbox.hubspot.definitions import Definition
from services.sandbox.hubspot.records import SINGULAR, Record, Source
from services.sandbox.hubspot.values import on_the_wire

Event = dict[str, Any]
SIDES = (("contact", "CONTACT_TO_COMPANY"), ("company", "COMPANY_TO_CONTACT"))


def happened(record: Record, kind: str, source: Source, at_ms: int, **more: Any) -> Event:
    """An event about one record."""
    return {
        "occurredAt": at_ms,
        "subscriptionType": f"{SINGULAR[record.type]}.{kind}",
        "objectId": int(record.id),
        "changeSource": source.type,
        "sourceId": source.id,
        **more,
    }


def changes(record: Record, definitions: Iterable[Definition], source: Source, at_ms: int) -> list[Event]:
    """One event for each changed property that an app can subscribe to."""
    return [
        happened(
            record,
            "propertyChange",
            source,
            at_ms,
            propertyName=definition.name,
            propertyValue=on_the_wire(definition, record.properties.get(definition.name, "")),
        )
        for definition in definitions
        if not definition.silent
    ]


def creation(
    rng: random.Random, record: Record, definitions: Iterable[Definition], source: Source, at_ms: int
) -> list[Event]:
    """A burst with one time for all: property changes in any order, the creation somewhere among them."""
    burst = changes(record, definitions, source, at_ms)
    burst.append(happened(record, "creation", source, at_ms, changeFlag="CREATED"))
    rng.shuffle(burst)
    return burst


def merge(survivor: Record, winner: Record, loser: Record, source: Source, at_ms: int) -> Event:
    """Two records became a third one."""
    return happened(
        survivor,
        "merge",
        source,
        at_ms,
        primaryObjectId=int(winner.id),
        mergedObjectIds=[int(loser.id)],
        newObjectId=int(survivor.id),
        numberOfPropertiesMoved=len([name for name in loser.properties if not winner.properties.get(name)]),
    )


def relation(
    contact: str, company: str, source: Source, at_ms: int, *, removed: bool, primary: bool
) -> tuple[Event, Event]:
    """A relation came or went, told by both sides; there is no ``objectId``."""
    ends = ((contact, company), (company, contact))
    made = [
        {
            "occurredAt": at_ms,
            "subscriptionType": f"{side}.associationChange",
            "changeSource": source.type,
            "sourceId": source.id,
            "associationType": name,
            "fromObjectId": int(start),
            "toObjectId": int(end),
            "associationRemoved": removed,
            "isPrimaryAssociation": primary,
        }
        for (side, name), (start, end) in zip(SIDES, ends, strict=True)
    ]
    return made[0], made[1]
