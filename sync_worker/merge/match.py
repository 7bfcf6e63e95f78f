"""Which record belongs to which, before anything is created. Precision first: in doubt a person decides (Q7).

Keys are comparable already: ``email``, ``vat_id`` (only valid ones), ``domain``, ``name``. A stored id of the other
side (the marker) is the strongest proof.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

import msgspec

from schemas.records import ObjectType
from schemas.seen import SideSeen


class Verdict(StrEnum):
    """What the search for a counterpart came to."""

    NONE = "none"
    ADOPT = "adopt"
    TAKEN = "taken"
    AMBIGUOUS = "ambiguous"


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """The counterpart, or the ids a person should look at. ``proof`` names the key that matched."""

    verdict: Verdict
    record_id: str = ""
    proof: str = ""
    candidates: tuple[str, ...] = ()


NO_MATCH = Match(verdict=Verdict.NONE)


def match(object_type: ObjectType, own: SideSeen, candidates: Sequence[SideSeen], taken: Collection[str]) -> Match:
    """The counterpart of ``own`` among ``candidates``; ``taken`` holds the ids that are linked elsewhere."""
    there = [candidate for candidate in candidates if candidate.present]
    marked = [one for one in there if _marks(own, one)]
    if marked:
        return _adopt(marked, "marker", taken)
    if object_type is ObjectType.CONTACT:
        return _contact(own, there, taken)
    return _company(own, there, taken)


def _marks(own: SideSeen, other: SideSeen) -> bool:
    return bool(other.marker and other.marker == own.record_id) or bool(own.marker and own.marker == other.record_id)


def _contact(own: SideSeen, there: Sequence[SideSeen], taken: Collection[str]) -> Match:
    """The e-mail is a person's key; shared by several Ansprechpartner it proves nothing, and a person decides."""
    found = _sharing(own, there, "email")
    if not found:
        return NO_MATCH
    free = [one for one in found if one.record_id not in taken]
    named = [one for one in free if _share(own, one, "name")]
    if len(found) > 1 and len(named) == 1:
        return _adopt(named, "email and name", taken)
    return _adopt(found, "email", taken)


def _company(own: SideSeen, there: Sequence[SideSeen], taken: Collection[str]) -> Match:
    """A unique valid UID-Nummer, or a unique domain with an equal name. Anything less is only a candidate."""
    by_vat = _sharing(own, there, "vat_id")
    if len(by_vat) == 1 and by_vat[0].record_id not in taken:
        return _adopt(by_vat, "vat_id", taken)
    by_domain = _sharing(own, there, "domain")
    if len(by_domain) == 1 and _share(own, by_domain[0], "name") and by_domain[0].record_id not in taken:
        return _adopt(by_domain, "domain and name", taken)
    free_vat = [one for one in by_vat if one.record_id not in taken]
    if len(free_vat) > 1:
        return _adopt(free_vat, "vat_id", taken)
    return Match(verdict=Verdict.NONE, candidates=_ids([*by_vat, *by_domain]))


def _adopt(found: Sequence[SideSeen], proof: str, taken: Collection[str]) -> Match:
    ids = _ids(found)
    if len(ids) > 1:
        return Match(verdict=Verdict.AMBIGUOUS, proof=proof, candidates=ids)
    verdict = Verdict.TAKEN if ids[0] in taken else Verdict.ADOPT
    return Match(verdict=verdict, record_id=ids[0], proof=proof, candidates=ids)


def _sharing(own: SideSeen, there: Sequence[SideSeen], key: str) -> list[SideSeen]:
    return [one for one in there if _share(own, one, key)]


def _share(own: SideSeen, other: SideSeen, key: str) -> bool:
    value = own.keys.get(key, "")
    return bool(value) and other.keys.get(key, "") == value


def _ids(found: Sequence[SideSeen]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.record_id for one in found))
