"""Writes through the API: checked as a whole before anything changes, and noted in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from services.sandbox.hubspot.answers import fault, invalid, invalid_properties
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import SINGULAR, Record, Source
from services.sandbox.hubspot.values import refusal

Properties = Mapping[str, Any]


class Writer:
    """The app as a writer. ``log`` holds every write that was applied, oldest first."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.own = Source("INTEGRATION", str(portal.identity.app_id))
        self.log: list[dict[str, Any]] = []

    def check_create(self, kind: str, properties: Properties, *, alone: bool = True) -> None:
        """Raise what a creation deserves: 400 naming all bad properties, or 409 for an e-mail that exists.

        In a batch that fails as a whole (``alone`` false) the text does not say who holds the e-mail.
        """
        self.check(kind, properties)
        if kind == "companies" and not (_given(properties, "name") or _given(properties, "domain")):
            raise invalid("One of the following properties must be set to create a company: name, domain")
        email = _given(properties, "email")
        holder = self.portal.by_unique(kind, "email", email) if kind == "contacts" and email else None
        if holder is not None and alone:
            message = f"Contact already exists. Existing ID: {holder.id}"
            raise fault(409, message, "CONFLICT", context={"existingId": [holder.id]})
        if holder is not None:
            raise fault(409, "Contact already exists", "CONFLICT")
        self.check_unique(kind, properties, None)

    def check_update(self, record: Record, properties: Properties) -> None:
        """Raise what an update deserves."""
        self.check(record.type, properties)
        self.check_unique(record.type, properties, record)

    def check(self, kind: str, properties: Properties) -> None:
        """One bad property refuses the whole record."""
        if not isinstance(properties, Mapping):
            raise invalid("Invalid input JSON: properties must be an object")
        defined = self.portal.definitions[kind]
        found = {name: refusal(defined.get(name), name, value) for name, value in properties.items()}
        bad = {name: one for name, one in found.items() if one}
        if bad:
            raise invalid_properties(bad, self.portal.identity.portal_id)

    def check_unique(self, kind: str, properties: Properties, own: Record | None) -> None:
        """Raise 400 for a value that another record holds; the second id in the text is the holder."""
        for name in properties:
            value = _given(properties, name)
            if not value or not self.portal.is_unique(kind, name):
                continue
            holder = self.portal.by_unique(kind, name, value)
            if holder is not None and holder is not own:
                raise invalid(self._conflict(kind, name, value, own.id if own else "0", holder.id))

    def _conflict(self, kind: str, name: str, value: str, wanted_by: str, holder: str) -> str:
        portal_id, word = self.portal.identity.portal_id, SINGULAR[kind].upper()
        return (
            f"Cannot set PropertyValueCoordinates{{portalId={portal_id}, objectTypeId=ObjectTypeId"
            f"{{legacyObjectType={word}}}, propertyName={name}, value={value}}} on {wanted_by}. "
            f"{holder} already has that value."
        )

    def create(self, kind: str, properties: Properties) -> Record:
        """Create a record of checked properties."""
        record, changed = self.portal.create(kind, properties, self.own)
        self._note("create", record.type, record.id, properties, len(changed))
        return record

    def update(self, record: Record, properties: Properties) -> None:
        """Change checked properties."""
        changed = self.portal.update(record, properties, self.own)
        self._note("update", record.type, record.id, properties, len(changed))

    def archive(self, record: Record) -> None:
        """Archive a record."""
        self.portal.archive(record, self.own)
        self._note("archive", record.type, record.id, {}, 1)

    def merge(self, winner: Record, loser: Record) -> Record:
        """Merge two records."""
        survivor = self.portal.merge(winner, loser, self.own)
        self._note("merge", winner.type, survivor.id, {"primary": winner.id, "merged": loser.id}, 1)
        return survivor

    def erase(self, record: Record) -> None:
        """Erase a contact."""
        self.portal.erase(record, self.own)
        self._note("gdpr-delete", record.type, record.id, {}, 1)

    def relate(self, contact: str, company: str, labels: Iterable[int]) -> None:
        """Relate a contact and a company."""
        changed = self.portal.relate(contact, company, labels, self.own)
        self._note("associate", "contacts", contact, {"company": company}, int(changed))

    def unrelate(self, contact: str, company: str, labels: Iterable[int] | None = None) -> None:
        """Remove labels, or the whole relation."""
        changed = self.portal.unrelate(contact, company, labels, self.own)
        self._note("dissociate", "contacts", contact, {"company": company}, int(changed))

    def _note(self, op: str, kind: str, record_id: str, properties: Properties, changed: int) -> None:
        self.log.append(
            {
                "at_ms": self.portal.now_ms(),
                "op": op,
                "type": kind,
                "id": record_id,
                "properties": dict(properties),
                "source": f"{self.own.type}:{self.own.id}",
                "changed": changed,
            }
        )

    def counts(self) -> dict[str, int]:
        """Writes of records (identical ones too), properties that really changed, and all writes."""
        ops = Counter(one["op"] for one in self.log)
        valued = [one["changed"] for one in self.log if one["op"] in ("create", "update")]
        return {
            "records_written": ops["create"] + ops["update"] + ops["archive"],
            "property_writes": sum(valued),
            "writes": len(self.log),
        }


def _given(properties: Properties, name: str) -> str:
    value = properties.get(name)
    text = "" if value is None else str(value).strip()
    return text.lower() if name == "email" else text
