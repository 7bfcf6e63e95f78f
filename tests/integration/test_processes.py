"""The processes as an operator meets them: settings that are missing, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.world import fresh_database

STOPS_WITHIN_S = 25.0
STARTS_WITHIN_S = 30.0


def plain_environment() -> dict[str, str]:
    """The environment without anything of ours."""
    ours = ("FSYNC_", "AMQP_URL", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.mark.parametrize("module", [["webhook_receiver"], ["sync_worker", "worker"], ["sync_worker", "poller"]])
def test_a_process_without_its_secrets_does_not_start_and_names_every_missing_one(module: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *module], env=plain_environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 78
    missing = (
        ["AMQP_URL", "FSYNC_HUBSPOT_CLIENT_SECRETS"] if module == ["webhook_receiver"] else ["AMQP_URL", "DATABASE_URL"]
    )
    assert all(name in done.stderr for name in missing)


@pytest.mark.parametrize("process", ["receiver", "worker", "poller"])
async def test_a_process_ends_in_order_when_asked(servers: dict[str, str], process: str) -> None:
    async with fresh_database(servers["database"]) as dsn:
        connection = {
            "id": 1,
            "hubspot_access_token": "canary-token",
            "hubspot_app_id": 99,
            "falcana_base_url": "https://127.0.0.1:1/api/v1",
            "falcana_api_key": "canary-key",
        }
        environment = plain_environment() | {
            "DATABASE_URL": dsn,
            "AMQP_URL": servers["amqp"],
            "FSYNC_PORT": "0",
            "FSYNC_CONNECTIONS": json.dumps([connection]),
            "FSYNC_HUBSPOT_APP_ID": "99",
            "FSYNC_HUBSPOT_CLIENT_SECRETS": "canary-secret",
            "FSYNC_HUBSPOT_PUBLIC_URL": "https://hooks.example.com/webhooks/hubspot",
            "FSYNC_PORTALS": '{"4711": 1}',
            "FSYNC_FALCANA_SECRETS": '{"1": ["canary-falcana"]}',
        }
        module = ["webhook_receiver"] if process == "receiver" else ["sync_worker", process]
        await asyncio.to_thread(starts_and_stops, module, environment)


def starts_and_stops(module: list[str], environment: dict[str, str]) -> None:
    """Start a process, wait until it says that it is ready, ask it to end, and judge how it does."""
    with subprocess.Popen(
        [sys.executable, "-m", *module], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("listening on http://127.0.0.1:")
        asked = time.monotonic()
        started.send_signal(signal.SIGTERM)
        rest, errors = started.communicate(timeout=STOPS_WITHIN_S)

    assert started.returncode == 0, errors
    assert time.monotonic() - asked < STOPS_WITHIN_S
    assert "canary" not in rest + errors, "no secret is ever printed"


def test_the_command_line_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sync_worker", "--help"],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    for command in ("worker", "poller", "pull", "push", "switches", "status", "explain", "approve-deletes", "migrate"):
        assert command in done.stdout
