"""One commit is one transaction: links under their version and fence, and every row that belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from asyncpg.pool import PoolConnectionProxy

from schemas.ledger import Commit, LinkUpdate, RecordKey, Retry, RunCount
from schemas.links import Link
from schemas.records import ObjectType, System
from services.store.pool import Database
from services.store.queries import QUERIES
from services.store.rows import fields_json, open_intents

COUNTS = (
    RunCount.CREATED,
    RunCount.UPDATED,
    RunCount.UNCHANGED,
    RunCount.DELETED,
    RunCount.BLOCKED,
    RunCount.FAILED,
)

if TYPE_CHECKING:
    Connection = PoolConnectionProxy[Any]


async def commit(database: Database, changes: Commit, owner: str) -> set[int]:
    """Store everything of one step. Returns the links that had moved on: nothing of theirs was stored.

    A link is lost when its row version, fence or lease is not the leased one, when the row to be absorbed is not
    free any more, or when another link holds one of its ids. Raises StoreUnavailable: then nothing was stored.
    """
    async with database.transaction() as connection:
        updates = await _still_ours(connection, changes.updates, owner)
        kept = {update.link.id for update in updates}
        lost = {update.link.id for update in changes.updates} - kept
        await _update(connection, updates)
        of_links = _connection_ids(changes.updates)
        await _tell_ledger(connection, changes, of_links, lost)
        await _hold_and_free(connection, changes, of_links, lost)
        await _settle(connection, changes, lost)
        for run_id, counts in changes.run_counts.items():
            await connection.execute(QUERIES["count_run"], run_id, *(counts.get(count, 0) for count in COUNTS))
    return lost


async def _still_ours(connection: Connection, updates: Sequence[LinkUpdate], owner: str) -> list[LinkUpdate]:
    if not updates:
        return []
    rows = await connection.fetch(QUERIES["locked_links"], [update.link.id for update in updates])
    now = {row["id"]: (row["row_version"], row["fence"], row["lease_owner"]) for row in rows}
    ours = [u for u in updates if now.get(u.link.id) == (u.link.row_version, u.link.fence, owner)]
    placeholders = [update.absorb_link_id for update in ours if update.absorb_link_id]
    if placeholders:
        removed = {row["id"] for row in await connection.fetch(QUERIES["remove_placeholders"], placeholders, owner)}
        ours = [update for update in ours if not update.absorb_link_id or update.absorb_link_id in removed]
    ours = await _without_id_clashes(connection, ours)
    await _remember_former(connection, ours, {row["id"]: row for row in rows})
    return ours


async def _without_id_clashes(connection: Connection, updates: list[LinkUpdate]) -> list[LinkUpdate]:
    """Drop updates whose new id is held by another link, so that one clash does not undo the batch.

    An id that its holder gives up in the same commit (a merge moving links) is no clash.
    """
    if not updates:
        return []
    first = updates[0].link
    hubspot = [update.link.hubspot_id for update in updates if update.link.hubspot_id]
    falcana = [update.link.falcana_id for update in updates if update.link.falcana_id]
    rows = await connection.fetch(QUERIES["holders_of"], first.connection_id, first.object_type.value, hubspot, falcana)
    after = {update.link.id: update.link for update in updates}
    holders: dict[tuple[System, str], int] = {}
    for row in rows:
        for system in System:
            record_id = row[f"{system.value}_id"]
            stays = row["id"] not in after or after[row["id"]].id_on(system) == record_id
            if record_id and stays:
                holders[(system, record_id)] = row["id"]
    return [update for update in updates if not _clashes(update.link, holders)]


def _clashes(link: Link, holders: dict[tuple[System, str], int]) -> bool:
    named = ((system, link.id_on(system)) for system in System)
    return any(record_id and holders.get((system, record_id), link.id) != link.id for system, record_id in named)


async def _remember_former(connection: Connection, updates: Iterable[LinkUpdate], before: dict[int, Any]) -> None:
    for update in updates:
        link = update.link
        for system in System:
            old = before[link.id][f"{system.value}_id"]
            if old and link.id_on(system) and old != link.id_on(system):
                await connection.execute(
                    QUERIES["remember_former"],
                    link.connection_id,
                    link.object_type.value,
                    system.value,
                    [old],
                    [link.id],
                )


async def _update(connection: Connection, updates: Sequence[LinkUpdate]) -> None:
    """Links that give an id up go before those that take it, so that no moment breaks a unique index."""
    giving = [update for update in updates if not (update.link.hubspot_id and update.link.falcana_id)]
    taking = [update for update in updates if update.link.hubspot_id and update.link.falcana_id]
    for group in (giving, taking):
        if group:
            await connection.execute(QUERIES["update_links"], *_columns(group))


def _columns(updates: Sequence[LinkUpdate]) -> list[list[Any]]:
    links = [update.link for update in updates]
    return [
        [link.id for link in links],
        [link.hubspot_id for link in links],
        [link.falcana_id for link in links],
        [link.state.value for link in links],
        [fields_json(link.fields) for link in links],
        [open_intents(link) for link in links],
        [link.hubspot_modified_ms for link in links],
        [link.falcana_modified_ms for link in links],
        [link.falcana_version for link in links],
        [link.unverified for link in links],
        [link.erased for link in links],
        [link.parked for link in links],
        [link.reason for link in links],
        [update.release for update in updates],
    ]


def _connection_ids(updates: Iterable[LinkUpdate]) -> dict[int, int]:
    return {update.link.id: update.link.connection_id for update in updates}


async def _tell_ledger(connection: Connection, changes: Commit, of_links: dict[int, int], lost: set[int]) -> None:
    lines = [
        (of_links[line.link_id], line.link_id, line.stage, line.action, line.reason, line.detail, list(line.causes))
        for line in changes.ledger
        if line.link_id not in lost
    ]
    if lines:
        await connection.executemany(QUERIES["insert_decisions"], lines)
    conflicts = [
        (
            of_links[one.link_id],
            one.link_id,
            one.field,
            one.rule,
            one.winner.value if one.winner else None,
            msgspec.to_builtins(one.winner_value),
            msgspec.to_builtins(one.loser),
        )
        for one in changes.conflicts
        if one.link_id not in lost
    ]
    if conflicts:
        await connection.executemany(QUERIES["insert_conflicts"], conflicts)


async def _hold_and_free(connection: Connection, changes: Commit, of_links: dict[int, int], lost: set[int]) -> None:
    free = [pair for pair in changes.held_cleared if pair[0] not in lost]
    if free:
        await connection.execute(QUERIES["free_fields"], [pair[0] for pair in free], [pair[1] for pair in free])
    held = [
        (of_links[one.link_id], one.link_id, one.field, one.towards.value, one.reason)
        for one in changes.held
        if one.link_id not in lost
    ]
    if held:
        await connection.executemany(QUERIES["hold_fields"], held)


async def _settle(connection: Connection, changes: Commit, lost: set[int]) -> None:
    """Done records lose their retry and parking rows first; new ones are written after."""
    if changes.settled and not (lost and len(lost) == len(changes.updates)):
        await connection.execute(QUERIES["settle_retries"], *_key_columns(changes.settled))
        await connection.execute(QUERIES["unpark"], *_key_columns(changes.unparked))
    if changes.retries:
        await connection.executemany(QUERIES["schedule_retry"], [_retry_row(row) for row in changes.retries])
    if changes.parked:
        await connection.executemany(
            QUERIES["park"],
            [
                (one.connection_id, one.object_type.value, one.system.value, one.record_id, one.category, one.reason)
                for one in changes.parked
            ],
        )


def _key_columns(keys: Sequence[RecordKey]) -> list[list[Any]]:
    return [
        [key.connection_id for key in keys],
        [key.object_type.value for key in keys],
        [key.system.value for key in keys],
        [key.record_id for key in keys],
    ]


def _retry_row(row: Retry) -> tuple[Any, ...]:
    object_type, system = ObjectType(row.object_type).value, System(row.system).value
    key = (row.connection_id, object_type, system, row.record_id)
    return (*key, row.category, row.reason, row.delay_s, row.pull, row.push, row.run_id, row.happening.value)
