"""The processes of the demo: both sandboxes, the receiver, a worker and a poller, each with a log file of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

SECRETS = {"client": "demo-client-secret", "token": "demo-token", "key": "demo-key", "falcana": "demo-falcana-secret"}
PORTAL, APP = 4711, 99
READY_WITHIN_S = 40.0


class DemoFailed(Exception):
    """A part of the demo did not start or ended early; the message holds its last words."""


@dataclass
class Started:
    """A running process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    url: str = ""


@dataclass
class Processes:
    """Everything the demo has started; ``close`` ends all of it."""

    folder: Path
    poll_every_s: float
    verify_after_s: float
    started: list[Started] = field(default_factory=list)
    hubspot_url: str = ""
    falcana_url: str = ""
    receiver_url: str = ""
    lag_ms: int = 0

    def start_sandboxes(self) -> None:
        """HubSpot and falcana."""
        self.hubspot_url = self._serve(
            "hubspot",
            "services.sandbox",
            *["hubspot", "--portal-id", str(PORTAL), "--app-id", str(APP), "--client-secret", SECRETS["client"]],
            *["--access-token", SECRETS["token"], "--search-lag-ms", str(self.lag_ms)],
        )
        self.falcana_url = self._serve(
            "falcana",
            "services.sandbox",
            *["falcana", "--api-key", SECRETS["key"], "--webhook-secret", SECRETS["falcana"]],
        )

    def start_product(self) -> None:
        """Receiver, worker and poller."""
        port = _free_port()
        self.receiver_url = f"http://127.0.0.1:{port}"
        self._serve("receiver", "webhook_receiver", extra={"FSYNC_PORT": str(port)})
        self._serve("worker", "sync_worker", "worker")
        self._serve("poller", "sync_worker", "poller")

    def command(self, *arguments: str) -> str:
        """Run one of the operator's commands to its end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "sync_worker", *arguments], env=self.environment(), capture_output=True, check=False
        )
        if done.returncode:
            raise DemoFailed(f"sync_worker {' '.join(arguments)}: {done.stderr.decode().strip()[-2000:]}")
        return done.stdout.decode()

    def environment(self) -> dict[str, str]:
        """The settings of the product, as an operator would give them."""
        connection = {
            "id": 1,
            "hubspot_base_url": self.hubspot_url,
            "hubspot_access_token": SECRETS["token"],
            "hubspot_app_id": APP,
            "hubspot_limit_per_10s": 190,
            "falcana_base_url": f"{self.falcana_url}/api/v1",
            "falcana_api_key": SECRETS["key"],
            "falcana_tls_required": False,
        }
        return os.environ | {
            "FSYNC_HOST": "127.0.0.1",
            "FSYNC_PORT": "0",
            "FSYNC_HUBSPOT_APP_ID": str(APP),
            "FSYNC_HUBSPOT_CLIENT_SECRETS": SECRETS["client"],
            "FSYNC_HUBSPOT_PUBLIC_URL": f"{self.receiver_url}/webhooks/hubspot",
            "FSYNC_PORTALS": json.dumps({str(PORTAL): 1}),
            "FSYNC_FALCANA_SECRETS": json.dumps({"1": [SECRETS["falcana"]]}),
            "FSYNC_CONNECTIONS": json.dumps([connection]),
            "FSYNC_POLL_EVERY_S": str(self.poll_every_s),
            "FSYNC_VERIFY_AFTER_S": str(self.verify_after_s),
        }

    def _serve(self, name: str, module: str, *arguments: str, extra: dict[str, str] | None = None) -> str:
        log = self.folder / f"{name}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=self.environment() | (extra or {}),
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = Started(name, process, log)
        self.started.append(started)
        started.url = self._wait_ready(started)
        return started.url

    def _wait_ready(self, started: Started) -> str:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            for line in started.log.read_text(errors="replace").splitlines():
                if line.startswith("listening on "):
                    return line.removeprefix("listening on ").strip()
            self.check()
            time.sleep(0.05)
        raise DemoFailed(f"{started.name} did not start:\n{last_words(started.log)}")

    def check(self) -> None:
        """Raise DemoFailed when a process has ended."""
        for one in self.started:
            if one.process.poll() is not None:
                raise DemoFailed(f"{one.name} ended with code {one.process.returncode}:\n{last_words(one.log)}")

    def close(self) -> None:
        """End everything, the product first; what does not end by itself is killed."""
        for one in reversed(self.started):
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGTERM)
        for one in self.started:
            try:
                one.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
        self.started.clear()


def last_words(log: Path, lines: int = 15) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def servers_missing() -> str:
    """What has to be set before the demo can start; empty when nothing is missing."""
    missing = [name for name in ("DATABASE_URL", "AMQP_URL") if not os.environ.get(name)]
    return f"set {' and '.join(missing)}, or start the demo with ./demo" if missing else ""
