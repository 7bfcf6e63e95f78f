"""Who wins, and what may travel. Pure: shapes in, verdicts out.

Times of the two systems are compared only between edits that did not see each other, and only outside the skew
bound; inside it, and when equal, falcana's value stays (R33, Q23: the documented word is "later").
"""

from __future__ import annotations

import msgspec

from schemas.connections import MergeScope
from schemas.records import PARENT_FIELD, UNLINKED_PREFIX, FieldRule, FieldValue, System


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How one record is to be merged: the mapped fields, the switches, the scope and the bound for clocks (ms)."""

    fields: tuple[FieldRule, ...]
    pull: bool = True
    push: bool = True
    merge_scope: MergeScope = MergeScope.FIELD
    skew_bound_ms: int = 2000
    tie_goes_to: System = System.FALCANA
    skip_without_company: bool = False

    def may_write(self, system: System) -> bool:
        """Whether the direction towards that side is on (R20-R22)."""
        return self.push if system is System.HUBSPOT else self.pull


class Candidate(msgspec.Struct, frozen=True):
    """A value that could become the agreed one: when it was edited (ms) and on which side."""

    value: FieldValue
    time_ms: int
    origin: System


def same(one: FieldValue, other: FieldValue) -> bool:
    """Whether two values mean the same, however they are spelled."""
    return one.canon == other.canon


def later(one: Candidate, other: Candidate, rules: Rules) -> Candidate:
    """The later of two edits that did not see each other. Within the skew bound the tie rule decides."""
    if one.origin is other.origin:
        return one if one.time_ms >= other.time_ms else other
    if abs(one.time_ms - other.time_ms) <= rules.skew_bound_ms:
        return one if one.origin is rules.tie_goes_to else other
    return one if one.time_ms > other.time_ms else other


def why_withheld(rule: FieldRule, target: FieldValue, towards: System, rules: Rules) -> str:
    """Why this value may not be written on that side, in a word; empty when it may."""
    if towards not in rule.flows_to:
        return "one_way"
    if not rules.may_write(towards):
        return "direction_off"
    if target.canon.startswith(UNLINKED_PREFIX):
        return "parent_not_linked" if rule.name == PARENT_FIELD else "no_counterpart"
    if target.empty and towards in rule.required_on:
        return "required"
    return ""
