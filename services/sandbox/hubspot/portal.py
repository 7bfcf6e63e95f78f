"""The state of one HubSpot account: records, definitions and relations, and what changes tell the outside."""

from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from services.sandbox.hubspot import events
from services.sandbox.hubspot.definitions import Definition, builtin
from services.sandbox.hubspot.records import TYPES, Entry, Record, Source
from services.sandbox.hubspot.relations import PRIMARY, Change, Relations
from services.sandbox.hubspot.values import domain_of, stored

RESTORABLE_MS = 90 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Identity:
    """What an account is called."""

    portal_id: int
    app_id: int
    ui_domain: str


class Portal:
    """All records of an account. ``emit`` receives an event for everything that happens."""

    def __init__(self, identity: Identity, seed: int, emit: Callable[[events.Event], None]) -> None:
        self.identity = identity
        self.rng = random.Random(seed)
        self.clock_offset_ms = 0
        self.search_lag_ms = 0
        self.definitions: dict[str, dict[str, Definition]] = {kind: builtin(kind) for kind in TYPES}
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in TYPES}
        self.relations = Relations()
        self._emit = emit
        self._ids: dict[str, list[int]] = {kind: [] for kind in TYPES}
        self._holders: dict[tuple[str, str, str], Record] = {}
        self._next_id = 9_000_000_000 + self.rng.randrange(1_000_000)

    def now_ms(self) -> int:
        """The account's clock."""
        return time.time_ns() // 1_000_000 + self.clock_offset_ms

    # --- finding ------------------------------------------------------------------------------------------------------

    def get(self, kind: str, record_id: str, archived: bool = False) -> Record | None:
        """A record by its id or by one that was merged into it."""
        record = self.records[kind].get(record_id)
        while record is not None and record.merged_into:
            record = self.records[kind].get(record.merged_into)
        return record if record and record.real and record.archived == archived else None

    def active(self, kind: str, archived: bool = False) -> list[Record]:
        """All records by id, active or archived."""
        return [one for one in self.records[kind].values() if one.real and one.archived == archived]

    def page(self, kind: str, after_id: int, size: int, archived: bool) -> list[Record]:
        """The next records by id; ids grow, so they stand in order already."""
        return list(islice(self._after(kind, after_id, archived), size))

    def _after(self, kind: str, after_id: int, archived: bool) -> Iterator[Record]:
        ids = self._ids[kind]
        for place in range(bisect_right(ids, after_id), len(ids)):
            record = self.records[kind][str(ids[place])]
            if record.real and record.archived == archived:
                yield record

    def is_unique(self, kind: str, name: str) -> bool:
        """Whether no two active records may share this property. A company's domain is not unique."""
        definition = self.definitions[kind].get(name)
        return (kind == "contacts" and name == "email") or (definition is not None and definition.unique)

    def by_unique(self, kind: str, name: str, value: str, archived: bool = False) -> Record | None:
        """The record that holds a unique value; e-mails also as a secondary address."""
        wanted = value.strip().lower() if name == "email" else value.strip()
        if archived:
            return next((one for one in self.active(kind, True) if one.properties.get(name) == wanted), None)
        return self._holders.get((kind, name, wanted))

    # --- changing -----------------------------------------------------------------------------------------------------

    def create(
        self, kind: str, properties: Mapping[str, Any], source: Source, *, at_ms: int = 0, quiet: bool = False
    ) -> tuple[Record, set[str]]:
        """Make a record of valid properties; also the names that hold a value now."""
        now = at_ms or self.now_ms()
        record = self._new(kind, now, now)
        if not quiet:
            self._shown_until_indexed(record, None)
        record.properties |= {"hs_object_source": source.type, "hs_object_source_id": source.id}
        changed = self._set(record, properties, source, now)
        website = record.properties.get("website")
        if kind == "companies" and website and not record.properties.get("domain"):
            changed |= self._set(record, {"domain": domain_of(website)}, source, now)
        self._index(record)
        if not quiet:
            self._tell(events.creation(self.rng, record, self._defined(kind, changed), source, now))
        return record, changed

    def _new(self, kind: str, created_ms: int, modified_ms: int) -> Record:
        self._next_id += self.rng.randrange(1, 50)
        record = Record(str(self._next_id), kind, created_ms, modified_ms)
        self.records[kind][record.id] = record
        self._ids[kind].append(self._next_id)
        return record

    def update(self, record: Record, properties: Mapping[str, Any], source: Source) -> set[str]:
        """Change properties; identical values change nothing at all. Returns the changed names."""
        now = self._next_moment(record)
        before = record.state() if self.search_lag_ms else None
        self._unindex(record)
        changed = self._set(record, properties, source, now)
        self._index(record)
        if changed:
            record.modified_ms = now
            self._shown_until_indexed(record, before)
            self._tell(events.changes(record, self._defined(record.type, changed), source, now))
        return changed

    def _shown_until_indexed(self, record: Record, state: Record | None) -> None:
        """Search goes on to show this state, or nothing, until the index has caught up."""
        if self.search_lag_ms:
            record.former.append((self.now_ms() + self.search_lag_ms, state))

    def _next_moment(self, *records: Record) -> int:
        return max(self.now_ms(), *(record.modified_ms + 1 for record in records))

    def _set(self, record: Record, properties: Mapping[str, Any], source: Source, now: int) -> set[str]:
        """JSON null is ignored; an empty text clears."""
        changed = set()
        for name, raw in properties.items():
            before = record.properties.get(name, "")
            value = before if raw is None else stored(self.definitions[record.type][name], raw, before)
            if value != before:
                record.properties[name] = value
                record.remember(name, Entry(value, now, source))
                changed.add(name)
        return changed

    def archive(self, record: Record, source: Source) -> None:
        """Put a record into the recycle bin."""
        self._unindex(record)
        record.archived_ms = self.now_ms()
        self._tell([events.happened(record, "deletion", source, record.archived_ms, changeFlag="DELETED")])

    def restore(self, record: Record, source: Source) -> str:
        """Take a record out of the recycle bin. Why that is impossible, "" when it is done."""
        if self.now_ms() - record.archived_ms > RESTORABLE_MS:
            return "records can be restored for 90 days"
        email = record.properties.get("email")
        if email and self.by_unique(record.type, "email", email):
            return "an active contact has the same e-mail"
        record.archived_ms = 0
        record.modified_ms = self._next_moment(record)
        self._shown_until_indexed(record, None)
        self._index(record)
        self._tell([events.happened(record, "restore", source, record.modified_ms)])
        return ""

    def erase(self, record: Record, source: Source) -> None:
        """A privacy deletion: the record is gone for good; both events are told, in either order."""
        now = self.now_ms()
        self._unindex(record)
        record.erased, record.archived_ms = True, now
        record.properties.clear()
        record.history.clear()
        record.more_emails.clear()
        self.relations.forget(record.id)
        told = [
            events.happened(record, "deletion", source, now, changeFlag="DELETED"),
            events.happened(record, "privacyDeletion", source, now),
        ]
        self.rng.shuffle(told)
        self._tell(told)

    # --- merging and relating -----------------------------------------------------------------------------------------

    def merge(self, winner: Record, loser: Record, source: Source) -> Record:
        """Two records become a third one with an id of its own; the old ids lead to it."""
        now = self._next_moment(winner, loser)
        survivor = self._new(winner.type, winner.created_ms, now)
        self._shown_until_indexed(survivor, None)
        for old in (winner, loser):
            self._unindex(old)
        self._take_over(survivor, winner, loser)
        winner.merged_into = loser.merged_into = survivor.id
        self._index(survivor)
        move = self.relations.merge_contacts if winner.type == "contacts" else self.relations.merge_companies
        move(winner.id, loser.id, survivor.id)
        self._tell([events.merge(survivor, winner, loser, source, now)])
        return survivor

    def _take_over(self, survivor: Record, winner: Record, loser: Record) -> None:
        """The winner's values, and the loser's where the winner has none. Unique values of the loser are lost."""
        for name in dict.fromkeys([*loser.properties, *winner.properties]):
            definition = self.definitions[winner.type].get(name)
            own = bool(winner.properties.get(name)) or (definition is not None and definition.unique)
            kept = winner if own else loser
            survivor.properties[name] = kept.properties.get(name, "")
            survivor.history[name] = list(kept.history.get(name, []))
        survivor.more_emails = winner.more_emails | loser.more_emails
        email = loser.properties.get("email")
        if email and email != survivor.properties.get("email"):
            survivor.more_emails.add(email)
        texts = [old.properties.get("hs_merged_object_ids", "") for old in (winner, loser)]
        older = [one for text in texts for one in text.split(";") if one]
        survivor.properties["hs_merged_object_ids"] = ";".join(dict.fromkeys([winner.id, loser.id, *older]))

    def primary_company(self, contact_id: str) -> str:
        """The primary company of a contact, "" for none. An archived company is none."""
        company = self.relations.primary_of(contact_id)
        return company if company and self.get("companies", company) else ""

    def relate(self, contact: str, company: str, labels: Iterable[int], source: Source) -> bool:
        """Relate a contact and a company; modified dates stay. Whether anything changed."""
        return self._relation_changed(self.relations.relate(contact, company, labels), source)

    def unrelate(self, contact: str, company: str, labels: Iterable[int] | None, source: Source) -> bool:
        """Remove labels, or everything between the two. Whether anything changed."""
        return self._relation_changed(self.relations.unrelate(contact, company, labels), source)

    def _relation_changed(self, changes: list[Change], source: Source) -> bool:
        now = self.now_ms()
        for contact, company, label, removed in changes:
            self._tell(
                events.relation(contact, company, source, now, removed=removed, primary=label == PRIMARY),
            )
        return bool(changes)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _tell(self, told: Iterable[events.Event]) -> None:
        for event in told:
            self._emit(event)

    def _defined(self, kind: str, names: Iterable[str]) -> list[Definition]:
        return [self.definitions[kind][name] for name in sorted(names)]

    def _unique_values(self, record: Record) -> list[tuple[str, str, str]]:
        held = [(name, value) for name, value in record.properties.items() if value]
        found = [(record.type, name, value) for name, value in held if self.is_unique(record.type, name)]
        return [*found, *((record.type, "email", address) for address in record.more_emails)]

    def _index(self, record: Record) -> None:
        for key in self._unique_values(record):
            self._holders[key] = record

    def _unindex(self, record: Record) -> None:
        for key in self._unique_values(record):
            if self._holders.get(key) is record:
                del self._holders[key]
