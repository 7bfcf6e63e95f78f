"""The workshop's door: worker, poller, the two manual runs, and the operator's commands.

Exit codes: 0 done, 1 something failed (said in one line), 2 wrong usage, 75 the server could not be reached, 78
wrong settings.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import click

from schemas.connections import Connection
from schemas.records import ObjectType, System
from services.settings import EXIT_CONFIG, DatabaseSettings, SettingsError, WorkerSettings, read_settings
from services.store.migrations import migrate as migrate_database
from services.store.pool import StoreUnavailable
from services.telemetry import configure_logging
from sync_worker import wiring
from sync_worker.operator import approve_deletes, explain_record, status_of

EXIT_UNAVAILABLE = 75
T = TypeVar("T")


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command, with the faults an operator can act on as one line each."""
    try:
        return asyncio.run(work)
    except SettingsError as error:
        click.echo(f"The settings are not complete:\n{error}", err=True)
        sys.exit(EXIT_CONFIG)
    except StoreUnavailable as error:
        click.echo(f"The database cannot be reached: {error}. Check DATABASE_URL.", err=True)
        sys.exit(EXIT_UNAVAILABLE)


def _worker_settings() -> WorkerSettings:
    return read_settings(WorkerSettings)


@click.group(help=__doc__)
def main() -> None:
    """The workshop of the falcana HubSpot sync."""
    configure_logging()


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema. Safe to repeat and to run twice at once."""

    async def work() -> None:
        applied = await migrate_database(read_settings(DatabaseSettings).database_url.get_secret_value())
        click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")

    _run(work())


@main.command()
@click.option("--id", "connection_id", type=int, required=True, help="Number of the connection.")
@click.option("--name", default="", help="A name for people.")
@click.option("--default-user", type=int, required=True, help="zuständiger User of new Adressen.")
@click.option("--default-vertriebsgruppe", type=int, required=True, help="Vertriebsgruppe of new Adressen.")
@click.option("--default-adressart", default="firma", type=click.Choice(["firma", "verein", "familie"]))
def connection(
    connection_id: int, name: str, default_user: int, default_vertriebsgruppe: int, default_adressart: str
) -> None:
    """Create a connection, or change its defaults. Both directions stay as they are; new ones are off (R20)."""

    async def work() -> None:
        async with wiring.database() as store:
            known = {one.id: one for one in await store.connections.all()}
            before = known.get(connection_id, Connection(id=connection_id))
            await store.connections.save(
                wiring.with_defaults(before, name, default_adressart, default_user, default_vertriebsgruppe)
            )
            click.echo(f"connection {connection_id} saved")

    _run(work())


@main.command()
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
@click.option("--pull/--no-pull", default=None, help="Daten von Hubspot in falcana übernehmen.")
@click.option("--push/--no-push", default=None, help="Daten von falcana an Hubspot übertragen.")
def switches(connection_id: int, pull: bool | None, push: bool | None) -> None:
    """Switch the two directions of the automatic sync, each by itself (R20-R22)."""

    async def work() -> None:
        async with wiring.database() as store:
            now = await store.connections.set_switches(connection_id, pull=pull, push=push)
            click.echo(f"pull {'on' if now.pull else 'off'}, push {'on' if now.push else 'off'}")

    _run(work())


@main.command()
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
def setup(connection_id: int) -> None:
    """Create our properties in the HubSpot account, as far as they are missing."""

    async def work() -> None:
        async with wiring.workplace(_worker_settings()) as place:
            for line in await wiring.setup_portal(place, connection_id):
                click.echo(line)

    _run(work())


@main.command()
def worker() -> None:
    """Bring hinted records into agreement until stopped by SIGTERM or SIGINT."""
    _run(_until_stopped(lambda stop: wiring.run_worker(_worker_settings(), stop)))


@main.command()
def poller() -> None:
    """Look for changed records every five minutes until stopped. Of several pollers one leads."""
    _run(_until_stopped(lambda stop: wiring.run_poller(_worker_settings(), stop)))


@main.command("poll-once")
def poll_once() -> None:
    """One pass of the poller, now."""

    async def work() -> None:
        click.echo(f"{await wiring.poll_once(_worker_settings())} hints sent")

    _run(work())


def _manual(source: System, connection_id: int, as_json: bool) -> None:
    async def work() -> int:
        failed = 0
        async for run in wiring.manual_run(_worker_settings(), connection_id, source):
            failed = run.failed
            click.echo(json.dumps(run.as_dict()) if as_json else run.in_words())
        return failed

    try:
        _run(work())
    except wiring.AlreadyRunning as error:
        click.echo(f"Es läuft bereits ein Abgleich / a run is active already: {error}", err=True)
        sys.exit(1)


@main.command()
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def pull(connection_id: int, as_json: bool) -> None:
    """Daten von Hubspot in falcana übernehmen: every record, whatever the switches say (R32, Q19). Needs a worker."""
    _manual(System.HUBSPOT, connection_id, as_json)


@main.command()
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def push(connection_id: int, as_json: bool) -> None:
    """Daten von falcana an Hubspot übertragen: what changed since the last push, everything at first (R36-R38)."""
    _manual(System.FALCANA, connection_id, as_json)


@main.command()
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> None:
    """Switches, checkpoints, links by state, retries, held fields, conflicts and parked records of every connection."""

    async def work() -> None:
        async with wiring.database() as store:
            found = await status_of(store)
            click.echo(json.dumps(found, indent=None if as_json else 2, ensure_ascii=False))

    _run(work())


@main.command()
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
@click.argument("object_type", type=click.Choice([one.value for one in ObjectType]))
@click.argument("system", type=click.Choice([one.value for one in System]))
@click.argument("record_id")
def explain(connection_id: int, object_type: str, system: str, record_id: str) -> None:
    """Why one record is as it is: state, memory per field, retry, and its lines in the ledger. Shows customer data."""

    async def work() -> None:
        async with wiring.database() as store:
            found = await explain_record(store, connection_id, ObjectType(object_type), System(system), record_id)
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))

    _run(work())


@main.command("approve-deletes")
@click.option("--connection", "connection_id", type=int, default=1, show_default=True)
@click.option("--object-type", type=click.Choice([one.value for one in ObjectType]), required=True)
@click.option("--yes", is_flag=True, help="Carry them out; without it they are only listed.")
def approve_deletes_command(connection_id: int, object_type: str, yes: bool) -> None:
    """List the deletes that the brake holds, and carry out exactly these when told so."""

    async def work() -> None:
        async with wiring.database() as store:
            lines = await approve_deletes(store, connection_id, ObjectType(object_type), carry_out=yes)
            click.echo("\n".join(lines) or "no delete is held")
            if lines and not yes:
                click.echo("Add --yes to carry out exactly these.")

    _run(work())


async def _until_stopped(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Serve until SIGTERM or SIGINT; a second signal ends at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        if stop.is_set():
            sys.exit(1)
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ask_to_stop)
    await serve(stop)


if __name__ == "__main__":
    main()
