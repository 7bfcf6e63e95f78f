"""What both systems talk about, in our own words: systems, object types, fields and their values.

A value travels as a pair: the *text* somebody typed, and its *canon*, the form in which two spellings of the
same thing are equal. The merge compares canons and writes texts, so a different spelling is never a change
and is never rewritten (R33, Abgleich by content).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class System(StrEnum):
    """The two sides. They are equal in the code; only the rules know a difference."""

    HUBSPOT = "hubspot"
    FALCANA = "falcana"

    @property
    def other(self) -> System:
        """The side across from this one."""
        return System.FALCANA if self is System.HUBSPOT else System.HUBSPOT


class ObjectType(StrEnum):
    """What is kept in agreement: Unternehmen with Adressen, Kontakte with Ansprechpartner (R4-R8)."""

    COMPANY = "company"
    CONTACT = "contact"


class Kind(StrEnum):
    """How two spellings of a field are compared."""

    TEXT = "text"
    PHONE = "phone"
    COUNTRY = "country"
    URL = "url"
    EMAIL = "email"
    OPTION = "option"
    SALUTATION = "salutation"
    VAT = "vat"
    PARENT = "parent"


class FieldValue(msgspec.Struct, frozen=True):
    """One value of one field: ``text`` as it is written, ``canon`` as it is compared. Empty is two empty strings."""

    text: str
    canon: str

    @property
    def empty(self) -> bool:
        """Whether nothing is there."""
        return not self.canon


EMPTY = FieldValue("", "")


class FieldRule(msgspec.Struct, frozen=True, kw_only=True):
    """One mapped field: its names on both sides, how it is compared, and where it may flow.

    ``hubspot`` is a property name, ``falcana`` a wire name (``individualfelder.x`` for an Individualfeld).
    ``flows_to`` lists the sides that may be written; with a single side the other one owns the field.
    ``required_on`` lists the sides that refuse an empty value. ``options`` pairs (hubspot value, falcana key).
    """

    name: str
    kind: Kind = Kind.TEXT
    hubspot: str
    falcana: str
    flows_to: tuple[System, ...] = (System.HUBSPOT, System.FALCANA)
    required_on: tuple[System, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    label: str = ""


PARENT_FIELD = "company"
"""The name of the field that holds a person's company, as the id of the company's link (R8)."""

UNLINKED_PREFIX = "?"
"""A parent that is not linked yet is written as ``?<system>:<record id>``; it may not travel."""


def linked_parent(link_id: int) -> FieldValue:
    """The value of the parent field for a linked company."""
    return FieldValue(str(link_id), str(link_id))


def unlinked_parent(system: System, record_id: str) -> FieldValue:
    """The value of the parent field for a company that has no link yet."""
    word = f"{UNLINKED_PREFIX}{system.value}:{record_id}"
    return FieldValue(word, word)
