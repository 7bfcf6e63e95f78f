"""What an operator asks: how does it stand, why is this record so, and may these deletes go out."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.ledger import Commit, LedgerEntry, LinkUpdate, RecordKey
from schemas.links import Link, LinkState
from schemas.records import ObjectType, System
from services.store.store import Store
from sync_worker.remembering import retry_for

OPERATOR_LEASE_S = 30.0
OPERATOR = "operator"


async def status_of(store: Store) -> list[dict[str, Any]]:
    """One entry per connection: switches, checkpoints, links by state, and everything that waits or needs a person."""
    found = []
    for connection in await store.connections.all():
        entry: dict[str, Any] = {"connection": connection.id, "name": connection.name}
        entry |= {"pull": connection.pull, "push": connection.push, "enabled": connection.enabled}
        entry["links"] = await store.links.count_by_state(connection.id)
        entry["checkpoints"] = await store.checkpoints.all(connection.id)
        entry["retries"] = await store.retries.by_category(connection.id)
        entry["held_fields"] = await store.trouble.held_count(connection.id)
        entry["conflicts"] = await store.trouble.conflict_count(connection.id)
        entry["parked"] = await store.trouble.parked(connection.id)
        found.append(entry)
    return found


async def explain_record(
    store: Store, connection_id: int, object_type: ObjectType, system: System, record_id: str
) -> dict[str, Any]:
    """Everything we know of one record. The values in it are customer data."""
    links = await store.links.by_record(connection_id, object_type, system, [record_id])
    link = links.get(record_id)
    if link is None:
        return {"known": False, "means": "no hint has named this record yet; the next poll or event will"}
    return {
        "known": True,
        "link": msgspec.to_builtins(link),
        "ledger": await store.trouble.history(link.id),
        "held_fields": await store.trouble.held_of(link.id),
        "conflicts": await store.trouble.conflicts_of(link.id),
    }


async def approve_deletes(store: Store, connection_id: int, object_type: ObjectType, *, carry_out: bool) -> list[str]:
    """The held deletes as lines; with ``carry_out`` exactly these become due. Later deletes are counted anew."""
    held = await store.links.in_state(connection_id, object_type, LinkState.HELD)
    lines = [f"{link.object_type.value} falcana {link.falcana_id} HubSpot {link.hubspot_id}" for link in held]
    if carry_out and held:
        leased = await store.links.lease_more([link.id for link in held], OPERATOR_LEASE_S, OPERATOR)
        await store.commit(_approval(leased), OPERATOR)
    return lines


def _approval(links: list[Link]) -> Commit:
    approved = [
        msgspec.structs.replace(link, state=LinkState.FALCANA_DELETED_PENDING, reason="approved") for link in links
    ]
    keys = [RecordKey(link.connection_id, link.object_type, System.FALCANA, link.falcana_id or "") for link in approved]
    return Commit(
        updates=tuple(LinkUpdate(link=link, release=True) for link in approved),
        ledger=tuple(
            LedgerEntry(link_id=link.id, stage="done", action="approve", reason="delete_brake", detail={})
            for link in approved
        ),
        settled=tuple(keys),
        retries=tuple(retry_for(key, "approved", "delete approved", 0.0) for key in keys),
    )
