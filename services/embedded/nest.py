"""A temporary folder with servers in it that never outlives the process that made it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.embedded.faults import EmbeddedUnavailable


class Server:
    """A running server. ``pid`` is its first process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self.ended_within(0)

    def ended_within(self, timeout_s: float) -> bool:
        """Wait for its end, at most that long. The handle names this very process, even when its pid is used again."""
        return bool(select.select([self._handle], [], [], timeout_s)[0])

    def ask_to_end(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.running:
            signal.pidfd_send_signal(self._handle, number)

    def forget(self) -> None:
        """Close the handle."""
        os.close(self._handle)


class Nest:
    """The parent's end of a keeper. Closing it, or dying in any way, ends the servers and removes the folder."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("keeper.py")
        self._lock = threading.Lock()
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is not meant for it.
        )
        self.folder = Path(self._read()["folder"])

    def run(self, command: Sequence[str], environment: Mapping[str, str], log: str) -> int:
        """Run a command to its end and return its exit code. Its output goes to the file ``log``."""
        return int(self._ask(duty="run", command=command, environment=environment, log=log)["exit"])

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: str,
        last_signal: signal.Signals = signal.SIGKILL,
    ) -> Server:
        """Start a server; ``last_signal`` ends it quickest at the end of the nest."""
        wish = {"command": command, "environment": environment, "log": log, "last_signal": int(last_signal)}
        return Server(int(self._ask(duty="start", **wish)["pid"]))

    def kill(self, server: Server) -> None:
        """End a server and all its descendants as a power cut would, and return when they are gone."""
        self._ask(duty="kill", pid=server.pid)

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file in the folder, readable for the servers."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        folder = self.folder.stat()
        os.chown(path, folder.st_uid, folder.st_gid)
        return path

    def last_line(self, log: str) -> str:
        """The last line of a log, for an error message."""
        path = self.folder / log
        lines = path.read_text(errors="replace").split("\n") if path.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def close(self) -> None:
        """End everything and return when nothing is left. Safe to call twice."""
        if self._keeper.stdin:
            with suppress(BrokenPipeError):  # It was killed before it read all.
                self._keeper.stdin.close()
        self._keeper.wait()

    def _ask(self, **wish: Any) -> dict[str, Any]:
        with self._lock:
            self._write(json.dumps(wish).encode() + b"\n")
            answer = self._read()
        if "error" in answer:
            raise EmbeddedUnavailable(f"a private server could not be started: {answer['error']}")
        return answer

    def _write(self, line: bytes) -> None:
        assert self._keeper.stdin
        try:
            self._keeper.stdin.write(line)
            self._keeper.stdin.flush()
        except BrokenPipeError:
            raise EmbeddedUnavailable("the keeper of the private servers has been ended") from None

    def _read(self) -> dict[str, Any]:
        assert self._keeper.stdout
        line = self._keeper.stdout.readline()
        if not line:
            raise EmbeddedUnavailable("the keeper of the private servers ended; is the temporary folder writable?")
        answer: dict[str, Any] = json.loads(line)
        return answer


def wait_until(ready: Callable[[], bool], server: Server, timeout_s: float) -> bool:
    """Whether ``ready`` came true before the server ended or the time was up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if ready():
            return True
        if server.ended_within(0.02):
            return False
    return False
