"""What goes through the main path: a batch of hinted records, and what is known of each while it is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from schemas.connections import Connection, WithoutCompany
from schemas.events import Happening, Hint
from schemas.ledger import RecordKey
from schemas.links import Link
from schemas.plans import Plan
from schemas.records import FieldRule, ObjectType, System
from schemas.seen import Seen
from services.crm import Crm
from sync_worker.merge.rules import Rules


class HubspotCrm(Crm, Protocol):
    """HubSpot's door: a CRM that keeps the relation between people and companies beside the records."""

    async def primary_companies(self, contact_ids: Sequence[str]) -> dict[str, str]:
        """The primary company of each contact, "" for none, as the association itself says."""
        ...


@dataclass(frozen=True)
class Crms:
    """Both sides of one connection."""

    hubspot: HubspotCrm
    falcana: Crm

    def on(self, system: System) -> Crm:
        """The door to one side."""
        return self.hubspot if system is System.HUBSPOT else self.falcana


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Hints about records of one type in one connection, one hint per record after coalescing."""

    connection: Connection
    object_type: ObjectType
    hints: tuple[Hint, ...]
    fields: tuple[FieldRule, ...]


@dataclass
class Work:
    """One record on its way: its link as leased, why we look, what was seen, what was decided and what came of it."""

    link: Link
    hints: tuple[Hint, ...]
    rules: Rules
    seen: Seen = field(default_factory=Seen)
    plan: Plan | None = None
    with_history: bool = False
    result: str = ""
    retry: tuple[str, str, float] | None = None  # category, reason, delay_s
    parked: tuple[str, str] | None = None  # category, reason
    absorb_link_id: int = 0
    refused: dict[str, tuple[System, str]] = field(default_factory=dict)
    causes: tuple[str, ...] = ()

    @property
    def decided(self) -> Plan:
        """The plan; only asked for once there is one."""
        assert self.plan is not None, "asked for a plan before deciding"
        return self.plan

    def keys(self) -> tuple[RecordKey, ...]:
        """Every name under which hints can call this record."""
        ids = {(hint.system, hint.record_id) for hint in self.hints}
        ids |= {(system, record_id) for system in System if (record_id := self.link.id_on(system))}
        return tuple(
            RecordKey(self.link.connection_id, self.link.object_type, system, record_id)
            for system, record_id in sorted(ids)
        )

    def main_key(self) -> RecordKey:
        """The name under which it is looked at again: as hinted, or by its HubSpot id."""
        if self.hints:
            hint = self.hints[0]
            return RecordKey(hint.connection_id, hint.object_type, hint.system, hint.record_id)
        return self.keys()[0]

    def named(self) -> dict[str, int]:
        """Fields that somebody else changed in HubSpot according to an event, with the newest time."""
        by_property = {rule.hubspot: rule.name for rule in self.rules.fields}
        times: dict[str, int] = {}
        for hint in self.hints:
            if hint.system is not System.HUBSPOT or hint.own:
                continue
            for name in hint.fields:
                if name in by_property:
                    times[by_property[name]] = max(times.get(by_property[name], 0), hint.occurred_ms)
        return times


def coalesce(hints: Iterable[Hint]) -> tuple[Hint, ...]:
    """One hint per record: fields united, the strongest happening, own only when all of them were."""
    merged: dict[tuple[int, ObjectType, System, str], Hint] = {}
    for hint in hints:
        key = (hint.connection_id, hint.object_type, hint.system, hint.record_id)
        merged[key] = _unite(merged[key], hint) if key in merged else hint
    return tuple(merged.values())


STRENGTH = (
    Happening.LOOK,
    Happening.CHANGED,
    Happening.CREATED,
    Happening.ASSOCIATED,
    Happening.RESTORED,
    Happening.DELETED,
    Happening.MERGED,
    Happening.ERASED,
)


def _unite(one: Hint, other: Hint) -> Hint:
    stronger = max(one, other, key=lambda hint: STRENGTH.index(hint.happening))
    merged = max(one, other, key=lambda hint: bool(hint.survivor_id))
    return msgspec.structs.replace(
        stronger,
        fields=tuple(dict.fromkeys((*one.fields, *other.fields))),
        occurred_ms=max(one.occurred_ms, other.occurred_ms),
        own=one.own and other.own,
        version=max(one.version, other.version),
        survivor_id=merged.survivor_id,
        absorbed_ids=merged.absorbed_ids,
        run_id=one.run_id or other.run_id,
        pull=one.pull or other.pull,
        push=one.push or other.push,
    )


def rules_for(connection: Connection, fields: tuple[FieldRule, ...], hints: Sequence[Hint]) -> Rules:
    """The rules for one record: the switches, opened by a manual run in its own direction only."""
    return Rules(
        fields=fields,
        pull=connection.pull or any(hint.pull for hint in hints),
        push=connection.push or any(hint.push for hint in hints),
        merge_scope=connection.merge_scope,
        skew_bound_ms=connection.skew_bound_ms,
        skip_without_company=connection.contact_without_company is WithoutCompany.SKIP,
    )


def gather(batch: Batch, links: Sequence[Link], by_key: Mapping[tuple[System, str], int]) -> list[Work]:
    """The work of a batch: each leased link with the hints that name it."""
    hints: dict[int, list[Hint]] = {link.id: [] for link in links}
    for hint in batch.hints:
        link_id = by_key.get((hint.system, hint.record_id))
        if link_id in hints:
            hints[link_id].append(hint)
    return [_work(batch, link, tuple(hints[link.id])) for link in links]


def _work(batch: Batch, link: Link, hints: tuple[Hint, ...]) -> Work:
    causes = tuple(f"{hint.cause.value}:{hint.system.value}:{hint.happening.value}" for hint in hints)
    return Work(link=link, hints=hints, rules=rules_for(batch.connection, batch.fields, hints), causes=causes)
