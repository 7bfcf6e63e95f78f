"""A plan: for every field what happens and why. Data that can be stored, shown and replayed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.links import LinkState, Register
from schemas.records import FieldValue, System


class Action(StrEnum):
    """What is done with a record."""

    MERGE = "merge"
    CREATE = "create"
    ARCHIVE = "archive"  # the HubSpot record, because it was deleted in falcana (R15)
    REMEMBER = "remember"  # only the link changes
    FOLLOW = "follow"  # a merge gave the record another id
    READ_HISTORY = "read_history"
    LOOK_AGAIN = "look_again"
    ASK = "ask"  # a person has to decide
    NOTHING = "nothing"


class Loser(msgspec.Struct, frozen=True, kw_only=True):
    """The value that was not taken, kept so that it can be restored. Times are ms on the clock of their own system."""

    value: FieldValue
    system: System
    time_ms: int
    winner_time_ms: int


class FieldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one field.

    ``writes`` lists the sides whose value is not the target. ``rule`` names the rule that decided.
    ``agreed`` is the register after the pass. ``withheld`` names why the value may not travel; nothing about the
    field is remembered then, so that it flows as soon as it may.
    """

    field: str
    rule: str
    target: FieldValue
    agreed: Register
    writes: tuple[System, ...] = ()
    winner: System | None = None
    loser: Loser | None = None
    withheld: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The decision for one record. ``state`` is the link's state once the plan is carried out.

    ``create_on`` is set with CREATE; ``new_id`` and ``new_id_on`` with FOLLOW. ``mark`` lists the sides on which
    the other side's id has to be stored. ``conflict`` names a record-level conflict such as ``edit_vs_delete``.
    """

    link_id: int
    action: Action
    state: LinkState
    reason: str = ""
    fields: tuple[FieldPlan, ...] = ()
    create_on: System | None = None
    new_id: str = ""
    new_id_on: System | None = None
    mark: tuple[System, ...] = ()
    conflict: str = ""
    erase: bool = False
    look_again_s: float = 0.0

    def writes_to(self, system: System) -> dict[str, FieldValue]:
        """The fields to be written on one side, with their values."""
        return {plan.field: plan.target for plan in self.fields if system in plan.writes and not plan.withheld}

    @property
    def touches_crm(self) -> bool:
        """Whether carrying this out calls a CRM with a write."""
        writes = any(plan.writes and not plan.withheld for plan in self.fields)
        return writes or bool(self.mark) or self.action in (Action.CREATE, Action.ARCHIVE)
