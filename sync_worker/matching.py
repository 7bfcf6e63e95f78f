"""Before anything is created: is the record there already? (Q7, R4-R7)"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.links import LinkState
from schemas.plans import Action
from schemas.records import ObjectType, System
from schemas.seen import SideSeen
from services.store.store import Store
from sync_worker.merge.match import Match, Verdict, match
from sync_worker.work import Crms, Work

SEARCH_KEYS = ("email", "vat_id", "domain")


async def match_creates(works: Sequence[Work], object_type: ObjectType, crms: Crms, store: Store) -> list[Work]:
    """Look for counterparts of all records that are about to be created; adopt them where the proof is enough.

    Returns the works whose link now has both ids and has to be observed again. A record whose key is taken by another
    link, or that several records could be, is parked for a person.
    """
    adopted = []
    for on in System:
        creating = [work for work in works if work.decided.action is Action.CREATE and work.decided.create_on is on]
        if creating and on is System.FALCANA:
            creating = await _without_survivors(creating, object_type, store)
        if creating:
            adopted += await _match_side(creating, on, object_type, crms, store)
    return adopted


async def _without_survivors(works: Sequence[Work], object_type: ObjectType, store: Store) -> list[Work]:
    """A new HubSpot record that has absorbed linked ones is their survivor, not a new company or person."""
    absorbed = sorted({one for work in works for one in work.seen.hubspot.absorbed_ids})
    if not absorbed:
        return list(works)
    connection_id = works[0].link.connection_id
    links = await store.links.by_record(connection_id, object_type, System.HUBSPOT, absorbed)
    others = []
    for work in works:
        if any(one in links and links[one].falcana_id for one in work.seen.hubspot.absorbed_ids):
            work.plan = msgspec.structs.replace(
                work.decided,
                action=Action.FOLLOW,
                state=work.link.state,
                reason="merged",
                fields=(),
                mark=(),
                create_on=None,
                new_id=work.seen.hubspot.record_id,
                new_id_on=System.HUBSPOT,
            )
        else:
            others.append(work)
    return others


async def _match_side(
    works: Sequence[Work], on: System, object_type: ObjectType, crms: Crms, store: Store
) -> list[Work]:
    found = await crms.on(on).find(object_type, {work.link.id: _wanted(work, on) for work in works})
    ids = sorted({one.record_id for candidates in found.values() for one in candidates})
    links = await store.links.by_record(works[0].link.connection_id, object_type, on, ids) if ids else {}
    adopted = []
    claimed: set[str] = set()
    for work in works:
        mine = {record_id: link for record_id, link in links.items() if link.id != work.link.id}
        free_links = {record_id: link.id for record_id, link in mine.items() if _free(link.state, link.id_on(on.other))}
        taken = (set(mine) - set(free_links)) | claimed
        verdict = match(object_type, work.seen.on(on.other), found.get(work.link.id, []), taken)
        if _act_on(work, on, verdict):
            claimed.add(verdict.record_id)
            work.absorb_link_id = free_links.get(verdict.record_id, 0)
            adopted.append(work)
    return adopted


def _free(state: LinkState, other_id: str | None) -> bool:
    return state is LinkState.UNLINKED and other_id is None


def _wanted(work: Work, on: System) -> dict[str, str]:
    """What to search for: the id of this record as a marker, and the keys that can prove something."""
    own: SideSeen = work.seen.on(on.other)
    wanted = {key: own.keys[key] for key in SEARCH_KEYS if own.keys.get(key)}
    wanted["marker"] = own.record_id
    if own.marker:
        wanted["id"] = own.marker
    return wanted


def _act_on(work: Work, on: System, verdict: Match) -> bool:
    """Adopt, or park, or leave the create as it is. True when the link now names both records."""
    if verdict.verdict is Verdict.ADOPT:
        name = "hubspot_id" if on is System.HUBSPOT else "falcana_id"
        work.link = msgspec.structs.replace(work.link, **{name: verdict.record_id})
        return True
    if verdict.verdict in (Verdict.TAKEN, Verdict.AMBIGUOUS):
        category = "duplicate" if verdict.verdict is Verdict.TAKEN else "ambiguous"
        others = ", ".join(verdict.candidates)
        work.parked = (category, f"same {verdict.proof} as {on.value} {others}")
        work.plan = msgspec.structs.replace(
            work.decided, action=Action.ASK, state=LinkState.UNLINKED, reason=category, fields=(), mark=()
        )
    return False
