"""The demo: both systems as sandboxes, the whole product between them, and edits that travel.

Without options a person can watch and edit; with --check a scripted story is judged, and the exit code tells.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.sandbox.demo import dataset
from services.sandbox.demo.people import Both, Person
from services.sandbox.demo.processes import DemoFailed, Processes, servers_missing
from services.sandbox.demo.steps import Step, Story
from services.sandbox.demo.story import Script
from services.sandbox.demo.watching import invite, narrate

out = Console()


def main() -> int:
    """Run the demo; the exit code."""
    options = _parse()
    missing = servers_missing()
    if missing:
        print(missing, file=sys.stderr)
        return 78
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        verify_after_s = 1.0 if options.check else 10.0
        processes = Processes(Path(folder), options.poll_every_s, verify_after_s)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            return asyncio.run(_run(options, processes))
        except DemoFailed as error:
            out.print(f"[red]The demo ended:[/red] {error}")
            return 1
        except KeyboardInterrupt:
            out.print("\nGood bye.")
            return 0
        finally:
            processes.close()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="tell the scripted story, judge it, and end")
    parser.add_argument("--poll-every-s", type=float, default=None, help="seconds between polls (300; with --check 3)")
    parser.add_argument("--seed", type=int, default=1, help="another data set")
    parser.add_argument("--json", metavar="FILE", help="write the steps and figures of --check to a file")
    options = parser.parse_args()
    if options.poll_every_s is None:
        options.poll_every_s = 3.0 if options.check else 300.0
    return options


async def _run(options: argparse.Namespace, processes: Processes) -> int:
    started = time.monotonic()
    out.print("[bold]Starting[/bold] both sandboxes with a data set …")
    processes.start_sandboxes()
    async with aiohttp.ClientSession() as session:
        both = Both(Person(processes.hubspot_url, session, True), Person(processes.falcana_url, session, False))
        await _prepare(processes, both, options.seed)
        first_pull_s = await asyncio.to_thread(_first_pull, processes)
        processes.command("switches", "--connection", "1", "--pull", "--push")
        out.print("Both directions are on now.\n")
        await narrate(both, out)
        if options.check:
            return await _check(options, both, started, first_pull_s)
        await invite(both, out, processes)
        return 0


async def _prepare(processes: Processes, both: Both, seed: int) -> None:
    made = dataset.make(seed)
    processes.command("migrate")
    processes.command(
        "connection", "--id", "1", "--name", "Demo", "--default-user", "7", "--default-vertriebsgruppe", "3"
    )
    processes.command("setup", "--connection", "1")
    await both.falcana.ask("POST", "/import", {"adressen": made.adressen, "ansprechpartner": made.ansprechpartner})
    await both.hubspot.ask("POST", "/import", {"companies": made.companies, "contacts": made.contacts})
    out.print(
        f"falcana: {len(made.adressen)} Adressen, {len(made.ansprechpartner)} Ansprechpartner. "
        f"HubSpot: {len(made.companies)} companies ({made.shared_companies} also in falcana, spelled differently), "
        f"{len(made.contacts)} contacts ({made.shared_people} also in falcana)."
    )
    out.print("[bold]Starting[/bold] receiver, worker and poller …")
    processes.start_product()
    await both.hubspot.ask("POST", "/webhooks", {"url": f"{processes.receiver_url}/webhooks/hubspot"})
    await both.falcana.ask("POST", "/webhooks", {"url": f"{processes.receiver_url}/webhooks/falcana/1"})


def _first_pull(processes: Processes) -> float:
    """The recommended first step, with its progress; the seconds it took."""
    started = time.monotonic()
    columns = (
        TextColumn("Daten von Hubspot in falcana übernehmen"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    command = [sys.executable, "-m", "sync_worker", "pull", "--connection", "1", "--json"]
    last: dict[str, Any] = {}
    with (
        Progress(*columns, console=out) as progress,
        subprocess.Popen(command, env=processes.environment(), stdout=subprocess.PIPE, text=True) as pull,
    ):
        task = progress.add_task("pull", total=None)
        assert pull.stdout is not None
        for line in pull.stdout:
            last = json.loads(line)
            progress.update(task, total=last["expected"], completed=last["counted"])
    if not last.get("finished"):
        raise DemoFailed(f"the first pull did not finish: {last}")
    out.print(
        f"{last['created']} angelegt, {last['updated']} aktualisiert, {last['unchanged']} unverändert, "
        f"{last['failed']} warten auf einen Menschen."
    )
    return time.monotonic() - started


async def _check(options: argparse.Namespace, both: Both, started: float, first_pull_s: float) -> int:
    table = Table("step", "expected", "seen", "seconds", title="./demo --check")
    story = Story(lambda step: _tell(step, table))
    try:
        await Script(both, story, options.poll_every_s).tell()
    except RuntimeError as error:
        out.print(f"[red]{error}[/red]")
        story.steps.append(Step("the story was told to its end", "yes", str(error), 0.0))
    out.print(table)
    seconds = round(time.monotonic() - started, 1)
    good = len(story.steps) - len(story.failed)
    out.print(f"{good} of {len(story.steps)} steps hold; first pull {first_pull_s:.1f} s; {seconds} s in all.")
    if options.json:
        figures = {
            "seconds": seconds,
            "first_pull_s": round(first_pull_s, 1),
            "steps": [one.as_dict() for one in story.steps],
        }
        await asyncio.to_thread(_save, Path(options.json), figures)
    return 1 if story.failed else 0


def _save(path: Path, figures: dict[str, Any]) -> None:
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False))


def _tell(step: Step, table: Table) -> None:
    mark = "[green]✓[/green]" if step.holds else "[red]✗[/red]"
    out.print(f"{mark} {step.what} ({step.seconds:.2f} s)", highlight=False)
    table.add_row(step.what, step.expected, step.seen, f"{step.seconds:.2f}", style="" if step.holds else "red")


if __name__ == "__main__":
    sys.exit(main())
