"""Follow: a merge gave a record another id. Who keeps the link is decided where all links of the family are known.

In HubSpot the survivor may be a third record with an id of its own; every old id leads to it. The winner's link goes
on with the survivor, the others are unlinked, flagged as duplicates and never re-created by themselves (Q21). In
falcana the survivor takes the link over; if it has one of its own, the loser's link is transferred and reported
(R25-b).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from schemas.events import Happening
from schemas.ledger import Commit, Conflict, LedgerEntry, LinkUpdate, RecordKey
from schemas.links import Link, LinkState
from schemas.records import ObjectType, System
from services.store.store import Store
from sync_worker.merge.memory import unlinked_from_hubspot
from sync_worker.remembering import retry_for
from sync_worker.work import Work

BUSY_AGAIN_S = 0.5


async def follow(
    merged: Sequence[Work], batch: Sequence[Work], object_type: ObjectType, store: Store, owner: str, lease_s: float
) -> set[int]:
    """Move the links of merged records to their survivors, one family at a time, and look at the survivors next.

    Returns the link ids that were dealt with: members of a family that are in this batch are settled with it.
    """
    at_hand = {work.link.id: work.link for work in batch}
    dealt_with: set[int] = set()
    for work in merged:
        if work.link.id not in dealt_with:
            dealt_with |= await _follow_one(work, at_hand, object_type, store, owner, lease_s)
    return dealt_with


async def _follow_one(
    work: Work, at_hand: Mapping[int, Link], object_type: ObjectType, store: Store, owner: str, lease_s: float
) -> set[int]:
    system, survivor_id = work.decided.new_id_on, work.decided.new_id
    assert system is not None
    old_ids = _family_ids(work, system, survivor_id)
    names = list(dict.fromkeys((*old_ids, survivor_id)))
    known = await store.links.by_record(work.link.connection_id, object_type, system, names)
    wanted = {link.id for link in known.values()} | {work.link.id}
    leased = await store.links.lease_more(sorted(wanted - at_hand.keys()), lease_s, owner)
    family = [at_hand[link_id] for link_id in sorted(wanted & at_hand.keys())] + leased
    if len(family) < len(wanted):
        await store.commit(_again(work, survivor_id, system, BUSY_AGAIN_S), owner)
    else:
        await store.commit(resolve_family(work, family, system, survivor_id, old_ids), owner)
    await store.links.release([work.link, *family], owner)
    return wanted & at_hand.keys()


def _family_ids(work: Work, system: System, survivor_id: str) -> tuple[str, ...]:
    """The ids that were merged away, the winner's first where an event told it."""
    told = next((hint.absorbed_ids for hint in work.hints if hint.happening is Happening.MERGED), ())
    own = work.link.id_on(system) or ""
    seen = work.seen.on(system).absorbed_ids
    return tuple(
        record_id for record_id in dict.fromkeys((*told, own, *seen)) if record_id and record_id != survivor_id
    )


def resolve_family(
    work: Work, family: Sequence[Link], system: System, survivor_id: str, old_ids: Sequence[str]
) -> Commit:
    """Which link keeps the survivor. Pure: links in, one commit out."""
    linked = [link for link in family if link.id_on(system.other) and link.state is not LinkState.CLOSED]
    standing = next((link for link in linked if link.id_on(system) == survivor_id), None)
    keeper = standing or _first_by(linked, system, old_ids)
    if keeper is None:
        return _again(work, survivor_id, system, 0.0)
    placeholder = next((link for link in family if link.id_on(system) == survivor_id and link is not keeper), None)
    losers = [link for link in linked if link is not keeper]
    updates = [_moved(keeper, system, survivor_id, placeholder)] + [
        LinkUpdate(link=_left_behind(link, system), release=True) for link in losers
    ]
    conflicts = tuple(Conflict(link_id=link.id, field="", rule="duplicate_after_merge") for link in losers)
    ledger = tuple(_line(link, system, survivor_id, keeper) for link in (keeper, *losers))
    commit = _again(work, survivor_id, system, 0.0)
    return msgspec.structs.replace(commit, updates=tuple(updates), conflicts=conflicts, ledger=ledger)


def _first_by(linked: Sequence[Link], system: System, old_ids: Sequence[str]) -> Link | None:
    order = {record_id: place for place, record_id in enumerate(old_ids)}
    ranked = sorted(linked, key=lambda link: (order.get(link.id_on(system) or "", len(order)), link.id))
    return ranked[0] if ranked else None


def _moved(keeper: Link, system: System, survivor_id: str, placeholder: Link | None) -> LinkUpdate:
    name = "hubspot_id" if system is System.HUBSPOT else "falcana_id"
    link = msgspec.structs.replace(keeper, **{name: survivor_id}, reason=f"{system.value}_merge", unverified=True)
    return LinkUpdate(link=link, absorb_link_id=placeholder.id if placeholder else 0, release=True)


def _left_behind(link: Link, system: System) -> Link:
    if system is System.HUBSPOT:
        return unlinked_from_hubspot(link, "duplicate_after_merge")
    return msgspec.structs.replace(link, state=LinkState.TRANSFERRED, reason="merged_in_falcana", parked=True)


def _line(link: Link, system: System, survivor_id: str, keeper: Link) -> LedgerEntry:
    action = "follow" if link is keeper else "unlink"
    return LedgerEntry(
        link_id=link.id,
        stage="done",
        action=action,
        reason=f"{system.value}_merge",
        detail={"survivor": survivor_id, "keeper_link": keeper.id},
    )


def _again(work: Work, survivor_id: str, system: System, delay_s: float) -> Commit:
    key = RecordKey(work.link.connection_id, work.link.object_type, system, survivor_id)
    pull, push = any(hint.pull for hint in work.hints), any(hint.push for hint in work.hints)
    run_id = max((hint.run_id for hint in work.hints), default=0)
    return Commit(
        retries=(retry_for(key, "merged", "follow the survivor", delay_s, pull, push, run_id),), settled=work.keys()
    )
