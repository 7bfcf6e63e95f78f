"""Relations between contacts and companies, with their labels, from both ends.

Labels are kept as type ids of the contact's side: 279 unlabelled, 1 primary, 931 billing contact. A contact has at most
one primary company, and every label implies 279 (associations guide).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PLAIN, PRIMARY, BILLING = 279, 1, 931
REVERSE = {PLAIN: 280, PRIMARY: 2, BILLING: 930}
FORWARD = {back: there for there, back in REVERSE.items()}
NAMES = {PLAIN: None, PRIMARY: "Primary", BILLING: "Billing contact"}

Change = tuple[str, str, int, bool]
"""(contact id, company id, label, removed)"""


class Relations:
    """Who belongs to which company, and how. Every change returns what came and went."""

    def __init__(self) -> None:
        self._companies: dict[str, dict[str, set[int]]] = {}
        self._contacts: dict[str, dict[str, None]] = {}

    def companies_of(self, contact: str) -> Mapping[str, set[int]]:
        """Companies of a contact with the labels."""
        return self._companies.get(contact, {})

    def contacts_of(self, company: str) -> Mapping[str, set[int]]:
        """Contacts of a company with the labels."""
        return {contact: self._companies[contact][company] for contact in self._contacts.get(company, {})}

    def primary_of(self, contact: str) -> str:
        """The primary company, "" for none."""
        return next((one for one, labels in self.companies_of(contact).items() if PRIMARY in labels), "")

    def relate(self, contact: str, company: str, labels: Iterable[int]) -> list[Change]:
        """Add labels. A new primary company takes the label from the old one, which stays related."""
        wanted = {*labels, PLAIN}
        changes: list[Change] = []
        former = self.primary_of(contact)
        if PRIMARY in wanted and former not in ("", company):
            self._companies[contact][former].discard(PRIMARY)
            changes.append((contact, former, PRIMARY, True))
        held = self._companies.setdefault(contact, {}).setdefault(company, set())
        self._contacts.setdefault(company, {})[contact] = None
        changes += [(contact, company, label, False) for label in sorted(wanted - held, reverse=True)]
        held |= wanted
        return changes

    def unrelate(self, contact: str, company: str, labels: Iterable[int] | None = None) -> list[Change]:
        """Remove labels; without labels, or with the unlabelled type, everything between the two."""
        held = self._companies.get(contact, {}).get(company)
        if held is None:
            return []
        going = set(held) if labels is None or PLAIN in set(labels) else held & set(labels)
        held -= going
        if not held:
            del self._companies[contact][company]
            del self._contacts[company][contact]
        return [(contact, company, label, True) for label in sorted(going)]

    def merge_contacts(self, winner: str, loser: str, survivor: str) -> None:
        """The survivor keeps all companies; the winner's primary one stays primary."""
        primary = self.primary_of(winner) or self.primary_of(loser)
        for contact in (winner, loser):
            for company, labels in list(self.companies_of(contact).items()):
                self.unrelate(contact, company)
                self.relate(survivor, company, labels - {PRIMARY})
        if primary:
            self.relate(survivor, primary, [PRIMARY])

    def merge_companies(self, winner: str, loser: str, survivor: str) -> None:
        """The survivor keeps all contacts with all labels."""
        for company in (winner, loser):
            for contact, labels in self.contacts_of(company).items():
                moved = set(labels)
                self.unrelate(contact, company)
                self.relate(contact, survivor, moved)

    def forget(self, contact: str) -> None:
        """Remove everything of an erased contact."""
        for company in list(self.companies_of(contact)):
            self.unrelate(contact, company)
