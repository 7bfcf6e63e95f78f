"""A connection: one falcana database paired with one HubSpot account, and how it is to be kept in agreement."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class MergeScope(StrEnum):
    """Whether later-wins is decided per field (default) or, literally, per record (R33)."""

    FIELD = "field"
    RECORD = "record"


class WithoutCompany(StrEnum):
    """What becomes of a HubSpot contact that has no company (Q8)."""

    PRIVATPERSON = "privatperson"
    SKIP = "skip"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one connection as stored. Secrets are not here.

    ``pull`` and ``push`` are the two switches of the automatic sync (R20-R22), both off at first.
    ``skew_bound_ms``: times of the two systems closer together than this count as equal.
    ``default_*`` fill a new Adresse (Adress-Art, User, Vertriebsgruppe). The brake numbers guard deletes towards
    HubSpot.
    """

    id: int
    name: str = ""
    enabled: bool = True
    pull: bool = False
    push: bool = False
    merge_scope: MergeScope = MergeScope.FIELD
    skew_bound_ms: int = 2000
    contact_without_company: WithoutCompany = WithoutCompany.PRIVATPERSON
    default_adressart: str = "firma"
    default_user_id: int = 0
    default_vertriebsgruppe_id: int = 0
    delete_brake_max: int = 50
    delete_brake_percent: int = 10
    delete_brake_min: int = 5
