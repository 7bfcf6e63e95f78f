"""The two buttons: "Daten von Hubspot in falcana übernehmen" and "Daten von falcana an Hubspot übertragen".

A manual pull looks at everything, because it also serves as a repair (Q19); a manual push sends what changed since the
last one, and everything the first time (R37, R38). Both only point: the worker does the work and counts it for the run.
A run is a row, so its progress survives a restart of whoever watches it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from schemas.connections import Connection
from schemas.records import ObjectType, System
from services.store.runs import Run
from sync_worker.poller import Poller, full_pass, poll_side

PULL = System.HUBSPOT
PUSH = System.FALCANA
WATCH_EVERY_S = 0.25


async def start_run(poller: Poller, connection: Connection, source: System) -> int:
    """Begin a run and send its hints. Returns the run's id. Raises AlreadyRunning when one is active (R32)."""
    direction = "pull" if source is PULL else "push"
    run_id = await poller.store.runs.start(connection.id, direction, "manual")
    if source is PULL:
        for object_type in (ObjectType.COMPANY, ObjectType.CONTACT):
            await full_pass(poller, connection, source, object_type, run_id)
    else:
        await poll_side(poller, connection, source, run_id)
    await poller.store.runs.listed(run_id)
    return run_id


async def watch_run(poller: Poller, run_id: int) -> AsyncIterator[Run]:
    """The progress of a run, again and again until every record of it is counted."""
    while True:
        run = await poller.store.runs.progress(run_id)
        yield run
        if run.finished:
            return
        await poller.clock.sleep(WATCH_EVERY_S)
