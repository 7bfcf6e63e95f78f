"""Observe: read both sides of every record of a batch, in as few calls as possible. Unknown is not absent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.events import Happening
from schemas.links import Link, LinkState
from schemas.records import EMPTY, PARENT_FIELD, FieldValue, ObjectType, System, linked_parent, unlinked_parent
from schemas.seen import NOTHING_THERE, Seen, SideSeen
from services.store.store import Store
from sync_worker.work import Crms, Work

FROZEN_WITH = {
    LinkState.HUBSPOT_DELETED: "company_deleted_in_hubspot",
    LinkState.FALCANA_DELETED_PENDING: "company_deleted_in_falcana",
    LinkState.HELD: "company_deleted_in_falcana",
    LinkState.CLOSED: "company_deleted",
    LinkState.TRANSFERRED: "company_transferred",
}
"""A company in one of these states cannot take people: the relation stays, everything else goes on (Q6, R14)."""


def may_hide_an_edit(link: Link) -> bool:
    """Whether a plain read of HubSpot is known in advance not to be enough."""
    return link.unverified or any(state.hubspot.intents or state.falcana.intents for state in link.fields.values())


async def observe(works: Sequence[Work], object_type: ObjectType, crms: Crms, store: Store) -> None:
    """Fill ``seen`` of every work.

    Raises CrmError when a side could not be asked: then nothing is known of the batch.
    """
    if not works:
        return
    for work in works:
        work.with_history = work.with_history or may_hide_an_edit(work.link)
    falcana = await _read_side(System.FALCANA, works, object_type, crms)
    hubspot = await _read_side(System.HUBSPOT, works, object_type, crms)
    for work in works:
        work.seen = Seen(
            hubspot=hubspot.get(work.link.hubspot_id or "", NOTHING_THERE),
            falcana=falcana.get(work.link.falcana_id or "", NOTHING_THERE),
        )
    if object_type is ObjectType.CONTACT:
        await _place_people(works, crms, store)


async def _read_side(system: System, works: Sequence[Work], object_type: ObjectType, crms: Crms) -> dict[str, SideSeen]:
    plain = [record_id for work in works if not work.with_history and (record_id := work.link.id_on(system))]
    deep = [record_id for work in works if work.with_history and (record_id := work.link.id_on(system))]
    seen: dict[str, SideSeen] = {}
    if plain:
        seen |= await crms.on(system).read(object_type, plain)
    if deep:
        seen |= await crms.on(system).read(object_type, deep, history=True)
    return seen


async def _place_people(works: Sequence[Work], crms: Crms, store: Store) -> None:
    """Translate raw company ids of both sides into links, so that both sides speak of the same company."""
    companies = {system: await _companies(system, works, store) for system in System}
    doubtful = [work for work in works if _relation_in_doubt(work, companies[System.HUBSPOT])]
    if doubtful:
        await _confirm(doubtful, crms)
        companies[System.HUBSPOT] = await _companies(System.HUBSPOT, works, store)
    for work in works:
        work.seen = place_person(work.link.connection_id, work.seen, companies)


async def _companies(system: System, works: Sequence[Work], store: Store) -> dict[str, Link]:
    wanted = sorted({raw for work in works if (raw := work.seen.on(system).parent_id)})
    if not wanted:
        return {}
    return await store.links.by_record(works[0].link.connection_id, ObjectType.COMPANY, system, wanted)


def _relation_in_doubt(work: Work, companies: dict[str, Link]) -> bool:
    """The contact's company property is quick to read but computed; a change is confirmed with the association."""
    if not work.seen.hubspot.present:
        return False
    if any(hint.happening is Happening.ASSOCIATED for hint in work.hints):
        return True
    shadow = work.link.memory(PARENT_FIELD).hubspot.shadow
    return shadow is not None and shadow != _parent_value(System.HUBSPOT, work.seen.hubspot.parent_id, companies)


async def _confirm(works: Sequence[Work], crms: Crms) -> None:
    ids = [work.seen.hubspot.record_id for work in works]
    confirmed = await crms.hubspot.primary_companies(ids)
    for work in works:
        parent_id = confirmed.get(work.seen.hubspot.record_id, "")
        hubspot = msgspec.structs.replace(work.seen.hubspot, parent_id=parent_id)
        work.seen = msgspec.structs.replace(work.seen, hubspot=hubspot)


def place_person(connection_id: int, seen: Seen, companies: dict[System, dict[str, Link]]) -> Seen:
    """The observation with the company as a field of its own, frozen while that company cannot take people."""
    frozen = dict(seen.frozen_fields)
    sides = {}
    for system in System:
        side = seen.on(system)
        value = _parent_value(system, side.parent_id, companies[system]) if side.present else EMPTY
        company = companies[system].get(side.parent_id)
        if company is not None and company.state in FROZEN_WITH:
            frozen[PARENT_FIELD] = FROZEN_WITH[company.state]
        sides[system] = msgspec.structs.replace(side, values={**side.values, PARENT_FIELD: value})
    return Seen(hubspot=sides[System.HUBSPOT], falcana=sides[System.FALCANA], frozen_fields=frozen)


def _parent_value(system: System, raw: str, companies: dict[str, Link]) -> FieldValue:
    if not raw:
        return EMPTY
    company = companies.get(raw)
    if company is None or company.state is LinkState.UNLINKED:
        return unlinked_parent(system, raw)
    return linked_parent(company.id)
