"""The receiver as a process: it refuses to start with wrong settings and stops in good order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from services.hubspot.webhook import signature_v3
from services.queue.consumer import open_consumer

ROOT = Path(__file__).parents[2]
SECRET, PUBLIC_URL = "client-secret", "https://hooks.example.com/webhooks/hubspot"
BODY = b'[{"portalId":4711,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1}]'
STOPS_WITHIN_S = 25.0
SETTINGS = {
    "FSYNC_PORT": "0",
    "FSYNC_HUBSPOT_APP_ID": "99",
    "FSYNC_HUBSPOT_CLIENT_SECRETS": SECRET,
    "FSYNC_HUBSPOT_PUBLIC_URL": PUBLIC_URL,
    "FSYNC_PORTALS": '{"4711": 1}',
    "FSYNC_FALCANA_SECRETS": '{"1": ["falcana-secret"]}',
}


async def start(**settings: str) -> Process:
    """The process with these settings and no others of ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FSYNC_", "AMQP_URL"))}
    command = [sys.executable, "-m", "webhook_receiver"]
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=inherited | settings, stdout=PIPE, stderr=PIPE)


@asynccontextmanager
async def running(amqp_url: str, prefix: str) -> AsyncIterator[tuple[Process, str, str]]:
    """A receiver that listens: the process, the URL of its hooks and that of its internal pages."""
    process = await start(AMQP_URL=amqp_url, FSYNC_QUEUE_PREFIX=prefix, **SETTINGS)
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            hooks, internal = [(await process.stdout.readline()).decode().split()[-1] for _line in range(2)]
        yield process, hooks, internal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def signed_request(host: str) -> tuple[bytes, bytes]:
    """A signed delivery over the line, cut in the middle of its body."""
    timestamp = str(time.time_ns() // 1_000_000)
    signature = signature_v3(SECRET, "POST", PUBLIC_URL, BODY, timestamp)
    head = (
        f"POST /webhooks/hubspot HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(BODY)}\r\n"
        f"X-HubSpot-Signature-v3: {signature}\r\nX-HubSpot-Request-Timestamp: {timestamp}\r\n\r\n"
    )
    return head.encode() + BODY[:10], BODY[10:]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"FSYNC_HUBSPOT_CLIENT_SECRETS": ""}, "FSYNC_HUBSPOT_CLIENT_SECRETS"),
        ({"FSYNC_FALCANA_SECRETS": '{"1": []}'}, "FSYNC_FALCANA_SECRETS"),
        ({"FSYNC_FALCANA_SECRETS": '{"1": [""]}'}, "FSYNC_FALCANA_SECRETS"),
        ({"FSYNC_HUBSPOT_PUBLIC_URL": "hooks.example.com"}, "FSYNC_HUBSPOT_PUBLIC_URL"),
    ],
)
async def test_a_wrong_setting_stops_the_start_and_is_named(wrong: dict[str, str], named: str) -> None:
    process = await start(AMQP_URL="amqp://unused", **(SETTINGS | wrong))
    async with asyncio.timeout(20):
        _, said = await process.communicate()

    assert (process.returncode, named in said.decode()) == (78, True)


async def test_a_broker_that_cannot_be_reached_is_said_so() -> None:
    process = await start(AMQP_URL="amqp://nobody:geheim@127.0.0.1:1/", **SETTINGS)
    async with asyncio.timeout(20):
        _, said = await process.communicate()

    assert (process.returncode, b"AMQP_URL" in said, b"geheim" in said) == (75, True, False)


@pytest.mark.servers
async def test_a_request_in_hand_is_stored_before_the_process_stops(servers: dict[str, str]) -> None:
    prefix = f"test-{uuid4().hex[:8]}"
    async with running(servers["amqp"], prefix) as (process, hooks, internal):
        host, port = hooks.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        first, rest = signed_request(host)
        writer.write(first)
        await writer.drain()
        await until_in_hand(internal)
        process.send_signal(signal.SIGTERM)
        await until_not_ready(internal)
        writer.write(rest)
        async with asyncio.timeout(STOPS_WITHIN_S):
            answer = await reader.readuntil(b"\r\n")
            code = await process.wait()
        writer.close()

    assert (answer, code) == (b"HTTP/1.1 200 OK\r\n", 0)
    consumer = await open_consumer(servers["amqp"], prefix=prefix)
    (received,) = await consumer.collect(10, 0.1, 5.0)
    await received.done()
    await consumer.close()
    assert [hint.record_id for hint in received.message.hints] == ["7"]


async def until_in_hand(internal: str) -> None:
    """Return once the process answers; by then it has taken the bytes that were sent before."""
    async with aiohttp.ClientSession() as session, session.get(f"{internal}/readyz") as answer:
        assert answer.status == 200


async def until_not_ready(internal: str) -> None:
    """Return once readiness fails, and says why."""
    async with asyncio.timeout(5), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{internal}/readyz") as answer:
                if answer.status == 503:
                    assert "stopping" in json.loads(await answer.text())["means"]
                    return
