"""The keeper: nothing outlives the process that asked for it, however that process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.embedded.faults import EmbeddedUnavailable
from services.embedded.nest import Nest
from tests.unit.embedded.traces import becomes_true, gone, processes_in

PATH = {"PATH": "/usr/bin:/bin"}
PARENT = """
import sys
from services.embedded.nest import Nest
nest = Nest()
nest.start(["sleep", "600"], {"PATH": "/usr/bin:/bin"}, "log")
print(nest.folder, flush=True)
sys.stdin.read()
"""
A_DAEMON = "setsid sh -c 'sleep 600 & setsid sleep 600 &' & wait"


@pytest.fixture
def nest() -> Iterator[Nest]:
    with closing(Nest()) as nest:
        yield nest


def test_closing_ends_the_server_and_removes_the_folder(nest: Nest) -> None:
    server = nest.start(["sleep", "600"], PATH, "log")
    assert processes_in(nest.folder) == [server.pid]

    nest.close()

    assert not server.running
    assert gone(nest.folder)


def test_descendants_that_ran_away_are_ended_too(nest: Nest) -> None:
    nest.start(["sh", "-c", A_DAEMON], PATH, "log")
    assert becomes_true(lambda: len(processes_in(nest.folder)) >= 2)

    nest.close()

    assert gone(nest.folder)


def test_a_server_that_ignores_its_last_signal_is_ended_the_hard_way(nest: Nest) -> None:
    server = nest.start(["sh", "-c", "trap '' TERM; touch ready; sleep 600"], PATH, "log", signal.SIGTERM)
    assert becomes_true((nest.folder / "ready").exists)

    nest.close()

    assert not server.running


@pytest.mark.parametrize("last_signal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_parent_that_is_ended_by(last_signal: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        folder = Path(parent.stdout.readline().decode().strip())
        assert processes_in(folder)

        parent.send_signal(last_signal)

        assert becomes_true(lambda: gone(folder))


def test_the_servers_die_with_a_keeper_that_is_killed(nest: Nest) -> None:
    server = nest.start(["sleep", "600"], PATH, "log")
    keeper = _parent_of(server.pid)

    os.kill(keeper, signal.SIGKILL)

    assert server.ended_within(10.0)
    with pytest.raises(EmbeddedUnavailable):
        nest.start(["sleep", "600"], PATH, "log")
    (nest.folder / "log").unlink()
    nest.folder.rmdir()


def test_killing_a_server_ends_its_family_and_no_other(nest: Nest) -> None:
    family = nest.start(["sh", "-c", "sleep 600 & sleep 600 & wait"], PATH, "log")
    other = nest.start(["sleep", "600"], PATH, "log")
    assert becomes_true(lambda: len(processes_in(nest.folder)) == 4)

    nest.kill(family)

    assert processes_in(nest.folder) == [other.pid]


def test_a_missing_program_is_said_and_others_still_start(nest: Nest) -> None:
    with pytest.raises(EmbeddedUnavailable, match="no-such-program"):
        nest.start(["/no-such-program"], PATH, "log")

    assert nest.run(["sh", "-c", "echo first; echo last; exit 3"], PATH, "log") == 3
    assert nest.last_line("log") == "last"


def test_servers_never_run_as_root(nest: Nest) -> None:
    nest.run(["id", "-u"], PATH, "log")

    assert nest.last_line("log") != "0"


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
