"""The state of one HubSpot account: records with histories, definitions, relations, and the events of changes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.sandbox.hubspot.definitions import Definition, builtin

TYPES = ("contacts", "companies")
TYPE_IDS = {"contacts": "0-1", "companies": "0-2"}
SINGULAR = {"contacts": "contact", "companies": "company"}
MODIFIED = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate"}


@dataclass(frozen=True)
class Source:
    """Who makes a change."""

    type: str
    id: str


PERSON = Source("CRM_UI", "userId:51446676")
BULK = Source("CRM_UI_BULK_ACTION", "userId:51446676")


@dataclass
class Entry:
    """One line of a property's history."""

    value: str
    at_ms: int
    source: Source


@dataclass
class Record:
    """One contact or company."""

    id: str
    type: str
    created_ms: int
    modified_ms: int
    visible_ms: int
    properties: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Entry]] = field(default_factory=dict)
    archived_ms: int = 0
    erased: bool = False
    merged_into: str = ""
    more_emails: set[str] = field(default_factory=set)


class Portal:
    """All records of an account. ``emit`` receives an event for everything that happens."""

    def __init__(self, seed: int, emit: Callable[[dict[str, Any]], None]) -> None:
        self.rng = random.Random(seed)
        self.emit = emit
        self.clock_offset_ms = 0
        self.search_lag_ms = 0
        self.definitions: dict[str, dict[str, Definition]] = {kind: builtin(kind) for kind in TYPES}
        self.groups: dict[str, set[str]] = {kind: set() for kind in TYPES}
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in TYPES}
        self.relations: dict[str, dict[str, set[int]]] = {}
        self.writes: list[dict[str, Any]] = []
        self.property_writes = 0
        self._next_id = 9_000_000_000 + self.rng.randrange(1_000_000)

    def now_ms(self) -> int:
        """The account's clock."""
        return time.time_ns() // 1_000_000 + self.clock_offset_ms

    def new_id(self) -> str:
        """Ids grow, with gaps."""
        self._next_id += self.rng.randrange(1, 50)
        return str(self._next_id)

    def get(self, kind: str, record_id: str, archived: bool = False) -> Record | None:
        """A record by its id or by one it was merged from."""
        record = self.records[kind].get(record_id)
        while record is not None and record.merged_into:
            record = self.records[kind].get(record.merged_into)
        if record is None or record.erased or bool(record.archived_ms) != archived:
            return None
        return record

    def active(self, kind: str, archived: bool = False) -> list[Record]:
        """All records by id, active or archived."""
        found = [r for r in self.records[kind].values() if bool(r.archived_ms) == archived]
        return sorted((r for r in found if not r.merged_into and not r.erased), key=lambda r: int(r.id))

    def by_unique(self, kind: str, name: str, value: str) -> Record | None:
        """The record that holds a unique value, also as a secondary address."""
        wanted = value.strip().lower() if name == "email" else value.strip()
        for record in self.active(kind):
            if record.properties.get(name) == wanted or (name == "email" and wanted in record.more_emails):
                return record
        return None

    def create(
        self, kind: str, properties: Mapping[str, Any], source: Source, *, at_ms: int = 0, quiet: bool = False
    ) -> Record:
        """Make a record; the properties are valid already."""
        now = at_ms or self.now_ms()
        record = Record(self.new_id(), kind, now, now, self.now_ms() + self.search_lag_ms)
        self.records[kind][record.id] = record
        changed = self._set(record, properties, source, now)
        if kind == "companies" and not record.properties.get("domain") and record.properties.get("website"):
            changed |= self._set(record, {"domain": _domain(record.properties["website"])}, source, now)
        if not quiet:
            self._emit_creation(record, changed, source, now)
        return record

    def update(self, record: Record, properties: Mapping[str, Any], source: Source) -> set[str]:
        """Change properties; identical values change nothing at all. Returns the changed names."""
        now = max(self.now_ms(), record.modified_ms + 1)
        changed = self._set(record, properties, source, now)
        if changed:
            record.modified_ms = now
            record.visible_ms = self.now_ms() + self.search_lag_ms
            for name in sorted(changed):
                self._emit_change(record, name, source, now)
        return changed

    def _set(self, record: Record, properties: Mapping[str, Any], source: Source, now: int) -> set[str]:
        changed = set()
        for name, raw in properties.items():
            if raw is None:
                continue
            value = self._normalised(record.type, name, raw)
            if record.properties.get(name, "") == value:
                continue
            record.properties[name] = value
            record.history.setdefault(name, []).insert(0, Entry(value, now, source))
            changed.add(name)
        self.property_writes += len(changed)
        return changed

    def _normalised(self, kind: str, name: str, raw: Any) -> str:
        value = ("true" if raw else "false") if isinstance(raw, bool) else str(raw).strip()
        if name == "email":
            return value.lower()
        if kind == "companies" and name == "domain":
            return _domain(value)
        return value

    def archive(self, record: Record, source: Source) -> None:
        """Put a record into the recycle bin."""
        record.archived_ms = self.now_ms()
        self.emit(self.event(record, "deletion", source, record.archived_ms) | {"changeFlag": "DELETED"})

    def restore(self, record: Record) -> None:
        """Take a record out of the recycle bin; only people can."""
        record.archived_ms = 0
        record.modified_ms = max(self.now_ms(), record.modified_ms + 1)
        record.visible_ms = self.now_ms() + self.search_lag_ms
        self.emit(self.event(record, "restore", PERSON, record.modified_ms))

    def erase(self, record: Record) -> None:
        """A privacy deletion: the record is gone for good.

        Both events are told, the plain one first or second by chance.
        """
        now = self.now_ms()
        record.erased, record.archived_ms = True, now
        record.properties.clear()
        record.history.clear()
        events = [self.event(record, "deletion", PERSON, now) | {"changeFlag": "DELETED"}]
        events.append(self.event(record, "privacyDeletion", PERSON, now))
        self.rng.shuffle(events)
        for event in events:
            self.emit(event)

    def merge(self, kind: str, winner: Record, loser: Record, source: Source) -> Record:
        """Two records become a third one with an id of its own; the old ids lead to it."""
        now = max(self.now_ms(), winner.modified_ms + 1, loser.modified_ms + 1)
        survivor = Record(self.new_id(), kind, winner.created_ms, now, self.now_ms() + self.search_lag_ms)
        self.records[kind][survivor.id] = survivor
        unique = {d.name for d in self.definitions[kind].values() if d.unique and d.name != "email"}
        survivor.properties = {n: v for n, v in loser.properties.items() if n not in unique} | winner.properties
        survivor.history = {n: list(e) for n, e in loser.history.items() if n not in unique} | winner.history
        survivor.more_emails = winner.more_emails | loser.more_emails
        if loser.properties.get("email") and loser.properties["email"] != survivor.properties.get("email"):
            survivor.more_emails.add(loser.properties["email"])
        old = [winner.properties.get("hs_merged_object_ids", ""), loser.properties.get("hs_merged_object_ids", "")]
        merged = [one for text in old for one in text.split(";") if one]
        survivor.properties["hs_merged_object_ids"] = ";".join(dict.fromkeys([winner.id, loser.id, *merged]))
        winner.merged_into = loser.merged_into = survivor.id
        self._move_relations(kind, winner.id, loser.id, survivor.id)
        event = self.event(survivor, "merge", source, now)
        event |= {
            "primaryObjectId": int(winner.id),
            "mergedObjectIds": [int(loser.id)],
            "newObjectId": int(survivor.id),
        }
        self.emit(event | {"numberOfPropertiesMoved": len(loser.properties)})
        return survivor

    def _move_relations(self, kind: str, winner: str, loser: str, survivor: str) -> None:
        if kind == "contacts":
            self.relations[survivor] = self.relations.pop(loser, {}) | self.relations.pop(winner, {})
            return
        for companies in self.relations.values():
            labels = companies.pop(winner, set()) | companies.pop(loser, set())
            if labels:
                companies[survivor] = labels

    def primary_company(self, contact_id: str) -> str:
        """The primary company of a contact, "" for none. An archived company is none."""
        for company, labels in self.relations.get(contact_id, {}).items():
            if 1 in labels and self.get("companies", company) is not None:
                return company
        return ""

    def relate(self, contact_id: str, company_id: str, label: int, source: Source) -> None:
        """Relate a contact and a company. Label 1 implies 279, and there is one primary company at most."""
        companies = self.relations.setdefault(contact_id, {})
        before = {company: set(labels) for company, labels in companies.items()}
        if label == 1:
            for labels in companies.values():
                labels.discard(1)
        companies.setdefault(company_id, set()).update({label, 279})
        if before != companies:
            self._emit_relation(contact_id, company_id, source, removed=False, primary=label == 1)

    def unrelate(self, contact_id: str, company_id: str, source: Source) -> None:
        """Remove every relation between a contact and a company."""
        labels = self.relations.get(contact_id, {}).pop(company_id, None)
        if labels:
            self._emit_relation(contact_id, company_id, source, removed=True, primary=1 in labels)

    def _emit_creation(self, record: Record, changed: set[str], source: Source, now: int) -> None:
        """A burst with one time for all: property changes in any order, the creation somewhere among them."""
        events = [self._change_event(record, name, source, now) for name in sorted(changed)]
        events = [event for event in events if event]
        events.append(self.event(record, "creation", source, now) | {"changeFlag": "CREATED"})
        self.rng.shuffle(events)
        for event in events:
            self.emit(event)

    def _emit_change(self, record: Record, name: str, source: Source, now: int) -> None:
        event = self._change_event(record, name, source, now)
        if event:
            self.emit(event)

    def _change_event(self, record: Record, name: str, source: Source, now: int) -> dict[str, Any]:
        definition = self.definitions[record.type].get(name)
        if definition is None or definition.silent:
            return {}
        value = record.properties[name]
        return self.event(record, "propertyChange", source, now) | {"propertyName": name, "propertyValue": value}

    def event(self, record: Record, kind: str, source: Source, now: int) -> dict[str, Any]:
        """The fields that every event has."""
        return {
            "occurredAt": now,
            "subscriptionType": f"{SINGULAR[record.type]}.{kind}",
            "objectId": int(record.id),
            "changeSource": source.type,
            "sourceId": source.id,
        }

    def _emit_relation(self, contact: str, company: str, source: Source, *, removed: bool, primary: bool) -> None:
        sides = (
            ("contact", "CONTACT_TO_COMPANY", contact, company),
            ("company", "COMPANY_TO_CONTACT", company, contact),
        )
        for prefix, name, start, end in sides:
            self.emit(
                {
                    "occurredAt": self.now_ms(),
                    "subscriptionType": f"{prefix}.associationChange",
                    "changeSource": source.type,
                    "sourceId": source.id,
                    "associationType": name,
                    "fromObjectId": int(start),
                    "toObjectId": int(end),
                    "associationRemoved": removed,
                    "isPrimaryAssociation": primary,
                }
            )


def _domain(text: str) -> str:
    host = text.strip().lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return host.split("/")[0]
