"""A private Postgres: own data, own port, own password, reachable on the loopback interface only."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from services.embedded.faults import EmbeddedUnavailable
from services.embedded.nest import Nest, Server, wait_until
from services.embedded.ports import LOOPBACK, free_ports

USER = "fsync"
DATABASE = "postgres"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
LOG = "postgres.log"
INSTALLED = Path("/usr/lib/postgresql")
UNAVAILABLE = "no Postgres: install the Debian package postgresql-15 or set DATABASE_URL"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # Its path may be longer than a socket's may be.
    "dynamic_shared_memory_type": "mmap",  # In the data folder, which is removed whatever happens.
    "max_connections": "200",
    "timezone": "UTC",
}
# Commits still wait until the kernel has them, so that they outlive a kill of the server, though not of the machine.
CARELESS = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """A node that can be killed and started again on the same data and port. Not started by its constructor.

    Without ``durable`` it skips the disk: quick, right for tests that do not pull the plug of the whole machine.
    Raises EmbeddedUnavailable.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._programs = find_postgres()
        self._settings = SETTINGS if durable else SETTINGS | CARELESS
        self._password = secrets.token_hex(16)
        self._nest = Nest()
        self._server: Server | None = None
        [self.port] = free_ports(1)
        self._data = self._nest.folder / "data"

    @property
    def dsn(self) -> str:
        """How to reach it as its superuser."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int:
        """The postmaster's process id; 0 while it is down."""
        return self._server.pid if self._server else 0

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it without waiting."""
        if not self._data.exists():
            self._initialise()
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        self._server = self._nest.start(command, ENVIRONMENT, LOG, last_signal=signal.SIGQUIT)

    def wait_ready(self) -> None:
        """Return when it accepts connections."""
        if not self._server or not wait_until(self._accepts, self._server, START_TIMEOUT_S):
            raise EmbeddedUnavailable(f"the private Postgres did not start: {self._nest.last_line(LOG)}")

    def kill(self) -> None:
        """End it as a power cut would. Whatever was committed is there after the next start."""
        if self._server:
            memory = self._shared_memory()
            self._nest.kill(self._server)
            self._forget()
            if memory:
                subprocess.run(["ipcrm", "-m", memory], check=False, capture_output=True)

    def stop(self) -> None:
        """End it in order, disconnecting everybody."""
        if self._server:
            self._server.ask_to_end(signal.SIGINT)
            if not self._server.ended_within(STOP_TIMEOUT_S):
                self._nest.kill(self._server)
            self._forget()

    def close(self) -> None:
        """End it and remove its data."""
        self._nest.close()
        self._forget()

    def _initialise(self) -> None:
        password = self._nest.write("password", self._password, mode=0o600)
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", USER, "--pwfile", str(password)]
        # A plain password: it never leaves the machine, and SCRAM would cost every test connection 10 ms.
        options = ["--auth=password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        if self._nest.run([*command, *options], ENVIRONMENT, LOG) != 0:
            raise EmbeddedUnavailable(f"no data folder for a private Postgres: {self._nest.last_line(LOG)}")

    def _accepts(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0

    def _shared_memory(self) -> str:
        """The id of the small segment that a killed postmaster leaves in the kernel; it is named in its pid file."""
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return lines[6].split()[-1] if len(lines) > 6 and lines[6].strip() else ""

    def _forget(self) -> None:
        if self._server:
            self._server.forget()
        self._server = None


def find_postgres() -> Path:
    """The folder of the newest Postgres on this machine. Raises EmbeddedUnavailable."""
    folders = [program.parent for program in INSTALLED.glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    program = shutil.which("initdb")
    if not program:
        raise EmbeddedUnavailable(UNAVAILABLE)
    return Path(program).resolve().parent
