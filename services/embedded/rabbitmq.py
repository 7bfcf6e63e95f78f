"""A private RabbitMQ: own data, own ports, own name server (epmd), reachable on the loopback interface only."""

from __future__ import annotations

import secrets
import shutil
import signal
from pathlib import Path

from services.embedded.faults import EmbeddedUnavailable
from services.embedded.nest import Nest, Server, wait_until
from services.embedded.ports import LOOPBACK, free_ports, listens, speaks_amqp

USER = "fsync"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
LOG = "rabbitmq.log"
EPMD_LOG = "epmd.log"
# The server script itself: the wrapper in sbin would change to another user and read the machine's own settings.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
UNAVAILABLE = "no RabbitMQ: install the Debian package rabbitmq-server or set AMQP_URL"


class RabbitMq:
    """A node that can be killed and started again on the same data and port. Not started by its constructor.

    ``environment`` makes rabbitmqctl speak to this node. Raises EmbeddedUnavailable.
    """

    def __init__(self) -> None:
        self._epmd_program = find_rabbitmq()
        self._password = secrets.token_hex(16)
        self._nest = Nest()
        self._epmd: Server | None = None
        self._server: Server | None = None
        self.port, self._dist_port, self._epmd_port = free_ports(3)
        self.environment = self._environment()

    @property
    def url(self) -> str:
        """How to reach it."""
        return f"amqp://{USER}:{self._password}@{LOOPBACK}:{self.port}/"

    @property
    def pid(self) -> int:
        """The node's process id; 0 while it is down."""
        return self._server.pid if self._server else 0

    def start(self) -> None:
        """Start it and return when it speaks AMQP."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it without waiting for more than its name server."""
        if not self._epmd:
            self._write_settings()
            self._start_epmd()
        self._server = self._nest.start([str(PROGRAM)], self.environment, LOG)

    def wait_ready(self) -> None:
        """Return when it speaks AMQP."""
        if not self._server or not wait_until(lambda: speaks_amqp(self.port), self._server, START_TIMEOUT_S):
            raise EmbeddedUnavailable(f"the private RabbitMQ did not start: {self._nest.last_line(LOG)}")

    def kill(self) -> None:
        """End it as a power cut would. Confirmed messages are there after the next start.

        Except in a quorum queue declared within the last second: RabbitMQ 3.10 writes the name of a new one late.
        """
        if self._server:
            self._nest.kill(self._server)
            self._forget()

    def stop(self) -> None:
        """End it in order."""
        if self._server:
            self._server.ask_to_end(signal.SIGTERM)
            if not self._server.ended_within(STOP_TIMEOUT_S):
                self._nest.kill(self._server)
            self._forget()

    def close(self) -> None:
        """End it and remove its data."""
        self._nest.close()
        self._forget()
        if self._epmd:
            self._epmd.forget()
            self._epmd = None

    def _start_epmd(self) -> None:
        command = [self._epmd_program, "-address", LOOPBACK, "-port", str(self._epmd_port)]
        self._epmd = self._nest.start(command, self.environment, EPMD_LOG)
        if not wait_until(lambda: listens(self._epmd_port), self._epmd, START_TIMEOUT_S):
            raise EmbeddedUnavailable(f"no name server for RabbitMQ: {self._nest.last_line(EPMD_LOG)}")

    def _write_settings(self) -> None:
        self._nest.write("empty.conf", "")
        self._nest.write("enabled_plugins", "[].\n")
        lines = {
            "listeners.tcp.1": f"{LOOPBACK}:{self.port}",
            "default_user": USER,
            "default_pass": self._password,
            "disk_free_limit.absolute": "50MB",
            "log.console": "true",
            "log.console.level": "warning",
            "log.file": "false",
        }
        self._nest.write("rabbitmq.conf", "".join(f"{name} = {value}\n" for name, value in lines.items()), mode=0o600)

    def _environment(self) -> dict[str, str]:
        folder = self._nest.folder
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"fsync-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "empty.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Idle schedulers of the Erlang machine must not spin on cores that others need.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none "
            "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            # Makes the script become the node instead of watching it, so that its process id is the node's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _forget(self) -> None:
        if self._server:
            self._server.forget()
        self._server = None


def find_rabbitmq() -> str:
    """The name server's program, if both it and RabbitMQ are installed. Raises EmbeddedUnavailable."""
    epmd = shutil.which("epmd", path="/usr/bin:/usr/local/bin")
    if not epmd or not PROGRAM.exists():
        raise EmbeddedUnavailable(UNAVAILABLE)
    return epmd
