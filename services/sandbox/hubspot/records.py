"""What an account holds: records with the history of every property, and who changed them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

TYPES = ("contacts", "companies")
TYPE_IDS = {"contacts": "0-1", "companies": "0-2"}
KINDS = {"contacts": "contacts", "companies": "companies", "contact": "contacts", "company": "companies"} | {
    number: kind for kind, number in TYPE_IDS.items()
}
SINGULAR = {"contacts": "contact", "companies": "company"}
MODIFIED = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate"}
HISTORY_DEPTH = {"contacts": 45, "companies": 20}


@dataclass(frozen=True)
class Source:
    """Who makes a change, as histories and events name it."""

    type: str
    id: str


PERSON = Source("CRM_UI", "userId:51446676")
BULK = Source("CRM_UI_BULK_ACTION", "userId:51446676")


@dataclass(frozen=True)
class Entry:
    """One line of a property's history."""

    value: str
    at_ms: int
    source: Source


@dataclass
class Record:
    """One contact or company. ``former`` are the states that a lagging search index still shows, with their end."""

    id: str
    type: str
    created_ms: int
    modified_ms: int
    properties: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Entry]] = field(default_factory=dict)
    archived_ms: int = 0
    erased: bool = False
    merged_into: str = ""
    more_emails: set[str] = field(default_factory=set)
    former: deque[tuple[int, Record | None]] = field(default_factory=deque)

    @property
    def archived(self) -> bool:
        """Whether it lies in the recycle bin."""
        return bool(self.archived_ms)

    @property
    def real(self) -> bool:
        """Whether it is still a record of its own: neither merged away nor erased."""
        return not self.merged_into and not self.erased

    def remember(self, name: str, entry: Entry) -> None:
        """Note a change; only the newest entries are kept."""
        entries = self.history.setdefault(name, [])
        entries.insert(0, entry)
        del entries[HISTORY_DEPTH[self.type] :]

    def state(self) -> Record:
        """The record as it is at this moment."""
        return replace(self, properties=dict(self.properties), former=deque())

    def as_indexed(self, now_ms: int) -> Record | None:
        """What search knows of this record now; None before it was indexed."""
        while self.former and self.former[0][0] <= now_ms:
            self.former.popleft()
        return self.former[0][1] if self.former else self
