"""Keeps private servers alive as long as somebody holds the other end of a pipe, and not a moment longer.

A parent that is killed cannot tidy up, and a server that forks or changes its user loses the kernel's parent-death
signal. So the servers belong to this small process, which the parent starts as a script of its own. It makes one
temporary folder, starts what it is asked for, and adopts every descendant that loses its parent (it is a subreaper).
When its standard input closes, for whatever reason, all of them are ended and the folder is removed.

One JSON object a line on standard input, one JSON object a line in answer. The first answer names the folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LAST_WORDS_S = 3.0
REAP_EVERY_S = 1.0

Answer = dict[str, Any]
_libc = ctypes.CDLL(None, use_errno=True)


class Keeper:
    """The folder, the servers in it, and the signal that ends each of them quickest without leaving traces."""

    def __init__(self, folder: Path, user: pwd.struct_passwd | None) -> None:
        self.folder = folder
        self.user = user
        self.last_signals: dict[int, int] = {}
        self.duties: dict[str, Callable[..., Answer]] = {"run": self.run, "start": self.start, "kill": self.kill}

    def answer(self, line: bytes) -> Answer:
        """Do what one line asks for."""
        self.reap()
        wish = json.loads(line)
        try:
            return self.duties[wish.pop("duty")](**wish)
        except OSError as error:
            return {"error": str(error)}

    def run(self, command: list[str], environment: dict[str, str], log: str) -> Answer:
        """Run a command to its end."""
        return {"exit": self._spawn(command, environment, log).wait()}

    def start(self, command: list[str], environment: dict[str, str], log: str, last_signal: int) -> Answer:
        """Start a server."""
        server = self._spawn(command, environment, log)
        self.last_signals[server.pid] = last_signal
        server.returncode = 0  # Reaped below together with the adopted ones, not by Popen.
        return {"pid": server.pid}

    def kill(self, pid: int) -> Answer:
        """End a server and its descendants the hard way and return when all are gone."""
        family = {pid, *_descendants(pid)}
        for member in family:
            _signal(member, signal.SIGKILL)
        while any(_alive(member) for member in family):
            self.reap()
            time.sleep(0.005)
        return {}

    def reap(self) -> None:
        """Take note of everything that has ended."""
        while ended := _wait(os.WNOHANG):
            self.last_signals.pop(ended, None)

    def end(self) -> None:
        """Leave nothing behind: first a signal that lets a server remove its shared memory, then the hard way."""
        for pid, last_signal in self.last_signals.items():
            _signal(pid, last_signal)
        deadline = time.monotonic() + LAST_WORDS_S
        while self.last_signals and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.005)
        while family := list(_descendants(os.getpid())):
            for member in family:
                _signal(member, signal.SIGKILL)
            _wait(0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, command: list[str], environment: dict[str, str], log: str) -> subprocess.Popen[bytes]:
        user = self.user
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                preexec_fn=_die_with_keeper,
            )


def _die_with_keeper() -> None:
    """The last resort, should the keeper itself be killed. Runs after the change of user, which would clear it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait(options: int) -> int:
    """The pid of a child that has ended; 0 when there is none."""
    try:
        return os.waitpid(-1, options)[0]
    except ChildProcessError:
        return 0


def _parents() -> dict[int, int]:
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))):
            found[int(entry)] = int(stat[1])
    return found


def _stat(pid: int) -> list[str]:
    """State, parent and so on; the name before them may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _alive(pid: int) -> bool:
    return bool(stat := _stat(pid)) and stat[0] != "Z"


def _descendants(pid: int) -> Iterator[int]:
    parents = _parents()
    generation = {pid}
    while generation := {child for child, parent in parents.items() if parent in generation}:
        yield from generation


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom the servers run as: ourselves, or nobody when we are root.

    Postgres refuses to be root. The user "postgres" would do as well, but it may own a database of the machine.
    """
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def _open_to_all(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _make_folder(user: pwd.struct_passwd | None) -> Path:
    """A folder that the servers' user can reach, also when the usual place is inside root's home."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    place = next((place for place in places if not user or _open_to_all(place.resolve())), places[0])
    folder = Path(tempfile.mkdtemp(prefix="fsync-", dir=place))
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def _serve(keeper: Keeper, wishes: BinaryIO) -> None:
    while True:
        if not select.select([wishes], [], [], REAP_EVERY_S)[0]:
            keeper.reap()
        elif line := wishes.readline():
            _say(keeper.answer(line))
        else:
            return


def _say(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the pipe closes or somebody asks us to end, then leave nothing behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    user = _unprivileged()
    keeper = Keeper(_make_folder(user), user)
    try:
        _say({"folder": str(keeper.folder)})
        _serve(keeper, open(0, "rb", buffering=0, closefd=False))  # noqa: SIM115
    except BrokenPipeError:
        pass  # The parent went away before it read the answer.
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.end()


if __name__ == "__main__":
    main()
