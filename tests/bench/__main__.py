"""make bench: HubSpot calls per 1,000 changed records and writes per edit, as a table and as bench.json.

Runs the real worker with a real broker and database against both sandboxes. Exits 1 when an aim is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.telemetry import configure_logging
from tests.bench.calls import Row, all_bursts
from tests.world import make_world, server_urls


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--records", type=int, default=1000, help="records per object type (default 1000)")
    parser.add_argument("--json", default="bench.json", help="where the figures go (default bench.json)")
    options = parser.parse_args()
    configure_logging(logging.ERROR)
    rows, idle = asyncio.run(_measure(options.records))
    _show(rows, idle)
    figures = {"commit": _commit(), "bursts": [row.as_dict() for row in rows], "idle_writes": idle}
    Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if idle == 0 and all(row.within_aim for row in rows) else 1


async def _measure(records: int) -> tuple[Sequence[Row], int]:
    async with make_world(server_urls(), verify_after_s=3600, window_s=0.25, deadline_s=300) as world:
        return await all_bursts(world, records)


def _show(rows: Sequence[Row], idle: int) -> None:
    headings = ("type", "direction", "records", "calls/1000", "bound", "aim", "+ verification", "writes/edit")
    table = Table(*headings, title="Calls to HubSpot, counted at the sandbox")
    for row in rows:
        style = "" if row.within_aim else "red"
        figures = (row.records, row.calls_per_1000, row.bound, row.aim, row.verification_per_1000, row.writes_per_edit)
        table.add_row(row.object_type, row.direction, *(str(figure) for figure in figures), style=style)
    console = Console()
    console.print(table)
    console.print(f"idle: {idle} writes in four poll rounds")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
