"""The store on a real Postgres: leases, versions, transactions, retries, budget, and the schema itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from schemas.connections import Connection
from schemas.ledger import Commit, LedgerEntry, LinkUpdate, Parked, RecordKey, Retry
from schemas.links import FieldState, Link, LinkState
from schemas.records import ObjectType, System
from services.clock import SystemClock
from services.store.migrations import MigrationChanged, migrate
from services.store.pool import StoreUnavailable
from services.store.store import Store, open_store
from tests.world import fresh_database

COMPANY, HUBSPOT, FALCANA = ObjectType.COMPANY, System.HUBSPOT, System.FALCANA
SCHEMA = Path(__file__).parents[3] / "schemas" / "tables" / "schema.sql"


@pytest.fixture
async def dsn(servers: dict[str, str]) -> AsyncIterator[str]:
    """A migrated database of its own."""
    async with fresh_database(servers["database"]) as made:
        yield made


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[Store]:
    """A store with one connection."""
    opened = await open_store(dsn)
    await opened.connections.save(Connection(id=1, name="test"))
    yield opened
    await opened.close()


async def lease(
    store: Store, *ids: str, owner: str = "one", lease_s: float = 60, system: System = HUBSPOT
) -> list[Link]:
    """The links of HubSpot records, leased."""
    leased = await store.links.lease(1, COMPANY, [(system, record_id) for record_id in ids], lease_s, owner)
    return sorted(leased.links, key=lambda link: link.id)


def retry(record_id: str, category: str = "unclear", delay_s: float = 0.0) -> Retry:
    """A retry row."""
    return Retry(
        connection_id=1,
        object_type=COMPANY,
        system=HUBSPOT,
        record_id=record_id,
        category=category,
        reason="why",
        delay_s=delay_s,
    )


async def test_migrations_run_once_also_when_started_together(servers: dict[str, str]) -> None:
    async with fresh_database(servers["database"], migrated=False) as dsn:
        applied = await asyncio.gather(migrate(dsn), migrate(dsn), migrate(dsn))
    assert sorted(len(names) for names in applied) == [0, 0, 3]


async def test_a_migration_that_was_edited_afterwards_is_refused(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE schema_migration SET checksum = 'other' WHERE name LIKE '0001%'")
    await connection.close()
    with pytest.raises(MigrationChanged):
        await migrate(dsn)


async def test_schema_sql_is_the_sum_of_all_migrations(servers: dict[str, str]) -> None:
    async with (
        fresh_database(servers["database"]) as migrated,
        fresh_database(servers["database"], migrated=False) as plain,
    ):
        connection = await asyncpg.connect(plain)
        await connection.execute(SCHEMA.read_text())
        await connection.close()
        assert await described(plain) == await described(migrated)


async def described(dsn: str) -> list[tuple[object, ...]]:
    """Columns, indexes, constraints and triggers of a database."""
    connection = await asyncpg.connect(dsn)
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name <> 'schema_migration' ORDER BY 1, ordinal_position",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_migration' ORDER BY 1",
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid::regclass::text <> 'schema_migration' AND connamespace = 'public'::regnamespace ORDER BY 1, 2",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    )
    rows = [tuple(row) for query in queries for row in await connection.fetch(query)]
    await connection.close()
    return rows


async def test_every_table_carries_the_connection(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "EXCEPT SELECT table_name FROM information_schema.columns WHERE column_name = 'connection_id'"
    )
    await connection.close()
    assert {row["table_name"] for row in rows} == {"connection", "schema_migration"}


async def test_a_leased_link_is_busy_for_everybody_else(store: Store) -> None:
    await lease(store, "1", owner="one")
    leased = await store.links.lease(1, COMPANY, [(HUBSPOT, "1"), (HUBSPOT, "2")], 60, "two")

    assert leased.busy == [(HUBSPOT, "1")]
    assert [link.hubspot_id for link in leased.links] == ["2"]


async def test_an_expired_lease_can_be_taken_and_its_former_owner_has_lost(store: Store) -> None:
    (first,) = await lease(store, "1", owner="one", lease_s=0)
    (second,) = await lease(store, "1", owner="two")
    assert second.fence > first.fence

    assert await store.commit(Commit(updates=(LinkUpdate(link=first),)), "one") == {first.id}
    assert await store.commit(Commit(updates=(LinkUpdate(link=second),)), "two") == set()


async def test_an_update_based_on_an_older_row_is_lost(store: Store) -> None:
    (link,) = await lease(store, "1")
    assert await store.commit(Commit(updates=(LinkUpdate(link=link),)), "one") == set()
    assert await store.commit(Commit(updates=(LinkUpdate(link=link),)), "one") == {link.id}


async def test_nothing_of_a_lost_link_is_stored_and_everything_of_the_others_is(store: Store) -> None:
    lost, kept = await lease(store, "1", "2")
    stale = msgspec.structs.replace(lost, row_version=99)
    entries = tuple(
        LedgerEntry(link_id=link.id, stage="decided", action="merge", reason="", detail={}) for link in (lost, kept)
    )
    commit = Commit(updates=(LinkUpdate(link=stale), LinkUpdate(link=kept)), ledger=entries)

    assert await store.commit(commit, "one") == {lost.id}
    assert await store.trouble.history(lost.id) == []
    assert len(await store.trouble.history(kept.id)) == 1


async def test_two_workers_meeting_the_same_new_record_make_one_link(store: Store) -> None:
    keys = [(HUBSPOT, str(number)) for number in range(50)]
    leased = await asyncio.gather(*(store.links.lease(1, COMPANY, keys, 60, f"worker{n}") for n in range(6)))

    assert sum(len(one.links) for one in leased) == 50
    assert await store.links.count_by_state(1) == {"company": {"unlinked": 50}}


async def test_a_link_absorbs_the_row_of_the_record_it_adopts(store: Store) -> None:
    (link,) = await lease(store, "1")
    (other,) = await lease(store, "77", system=FALCANA)
    await store.links.release([other], "one")
    both = msgspec.structs.replace(link, falcana_id="77", state=LinkState.LINKED)

    assert await store.commit(Commit(updates=(LinkUpdate(link=both, absorb_link_id=other.id),)), "one") == set()
    found = await store.links.by_record(1, COMPANY, FALCANA, ["77"])
    assert found["77"].id == link.id


async def test_a_row_somebody_works_on_is_not_absorbed(store: Store) -> None:
    (link,) = await lease(store, "1")
    (other,) = await lease(store, "77", owner="two", system=FALCANA)
    both = msgspec.structs.replace(link, falcana_id="77", state=LinkState.LINKED)

    assert await store.commit(Commit(updates=(LinkUpdate(link=both, absorb_link_id=other.id),)), "one") == {link.id}


async def test_an_id_that_another_link_holds_loses_that_update_and_no_other(store: Store) -> None:
    first, second, third = await lease(store, "1", "2", "3")
    taken = msgspec.structs.replace(first, falcana_id="77", state=LinkState.LINKED)
    await store.commit(Commit(updates=(LinkUpdate(link=taken),)), "one")
    clash = msgspec.structs.replace(second, falcana_id="77")
    fine = msgspec.structs.replace(third, falcana_id="78")

    assert await store.commit(Commit(updates=(LinkUpdate(link=clash), LinkUpdate(link=fine))), "one") == {second.id}


async def test_a_merge_may_move_an_id_from_one_link_to_another_in_one_commit(store: Store) -> None:
    keeper, loser = await lease(store, "1", "2")
    updates = (
        LinkUpdate(link=msgspec.structs.replace(keeper, falcana_id="7")),
        LinkUpdate(link=msgspec.structs.replace(loser, falcana_id="8")),
    )
    await store.commit(Commit(updates=updates), "one")
    keeper = msgspec.structs.replace(keeper, falcana_id="7", hubspot_id="2", row_version=1)
    loser = msgspec.structs.replace(loser, falcana_id="8", hubspot_id=None, row_version=1)

    assert await store.commit(Commit(updates=(LinkUpdate(link=keeper), LinkUpdate(link=loser))), "one") == set()
    found = await store.links.by_record(1, COMPANY, HUBSPOT, ["1", "2"])
    assert found["2"].id == keeper.id
    assert found["1"].id == keeper.id, "an id that was merged away leads to its link"


async def test_a_link_comes_back_as_it_was_stored(store: Store) -> None:
    (link,) = await lease(store, "1")
    full = msgspec.structs.replace(
        link, fields={"name": FieldState()}, unverified=True, hubspot_modified_ms=5, reason="why"
    )
    await store.commit(Commit(updates=(LinkUpdate(link=full, release=True),)), "one")
    (again,) = await lease(store, "1", owner="two")

    assert msgspec.structs.replace(again, row_version=0, fence=full.fence) == full


async def test_a_retry_counts_its_attempts_and_waits_longer_each_time(store: Store, dsn: str) -> None:
    waits = []
    for _attempt in range(4):
        await store.commit(Commit(retries=(retry("1", delay_s=10.0),)), "one")
        connection = await asyncpg.connect(dsn)
        waits.append(await connection.fetchval("SELECT extract(epoch FROM not_before - now())::float8 FROM retry"))
        await connection.close()

    assert waits == sorted(waits)
    assert waits[-1] > 3 * waits[0]


async def test_a_due_retry_is_offered_once_and_again_after_a_crash(store: Store, dsn: str) -> None:
    await store.commit(Commit(retries=(retry("1"), retry("2", delay_s=100.0))), "one")
    offered = await asyncio.gather(store.retries.due(10), store.retries.due(10))
    assert [row.record_id for rows in offered for row in rows] == ["1"]

    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE retry SET not_before = not_before - interval '6 minutes'")
    await connection.close()
    assert {row.record_id for row in await store.retries.due(10)} == {"1", "2"}


async def test_settling_a_record_ends_its_retry_and_its_parking(store: Store) -> None:
    parked = Parked(
        connection_id=1, object_type=COMPANY, system=HUBSPOT, record_id="1", category="rejected", reason="why"
    )
    await store.commit(Commit(retries=(retry("1"),), parked=(parked,)), "one")
    key = RecordKey(1, COMPANY, HUBSPOT, "1")
    await store.commit(Commit(settled=(key,), unparked=(key,)), "one")

    assert await store.retries.pending_count(1) == 0
    assert await store.trouble.parked(1) == []


async def test_the_ledger_can_be_added_to_and_not_changed(store: Store, dsn: str) -> None:
    (link,) = await lease(store, "1")
    entry = LedgerEntry(link_id=link.id, stage="decided", action="merge", reason="", detail={"name": "Canary"})
    await store.commit(Commit(updates=(LinkUpdate(link=link),), ledger=(entry,)), "one")
    connection = await asyncpg.connect(dsn)
    for statement in ("UPDATE decision SET reason = 'x'", "DELETE FROM decision"):
        with pytest.raises(asyncpg.RaiseError):
            await connection.execute(statement)
    await connection.close()

    await store.erase(link.id)
    assert "Canary" not in str(await store.trouble.history(link.id))


async def test_the_shared_budget_never_exceeds_the_limit_of_any_ten_seconds(store: Store, dsn: str) -> None:
    """Six workers, one bucket: the moments at which calls are allowed, by the database's own arithmetic."""
    budget = store.budget(1, 110, SystemClock())
    connection = await asyncpg.connect(dsn)
    moments = []
    start = await connection.fetchval("SELECT clock_timestamp()")
    for _call in range(400):
        wait_s = await budget.booked("burst", start)
        moments.append(wait_s)
    await connection.close()
    busiest = max(sum(1 for other in moments if moment <= other < moment + 10) for moment in moments)

    assert busiest <= 110
    assert busiest >= 0.9 * 110, "and the limit is used"


async def test_a_database_that_is_away_has_one_name() -> None:
    with pytest.raises(StoreUnavailable):
        await open_store("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/nothing")
