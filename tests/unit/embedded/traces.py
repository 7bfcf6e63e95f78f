"""What a private server would leave behind: processes and folders."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 20.0


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _works_in(entry, folder):
            found.append(int(entry.name))
    return found


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(process / "cwd")).is_relative_to(folder)
    except OSError:
        return False


def gone(folder: Path) -> bool:
    """Whether neither the folder nor any process in it is left."""
    return not folder.exists() and not processes_in(folder)


def becomes_true(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> bool:
    """Whether a condition of the outside world comes true in time."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            return False
        pause.wait(0.01)
    return True
