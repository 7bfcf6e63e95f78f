"""The private servers themselves: they keep what they confirmed through a kill, and nothing of them stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from services.embedded import postgres as postgres_module
from services.embedded import rabbitmq as rabbitmq_module
from services.embedded.faults import EmbeddedUnavailable
from services.embedded.launch import embedded_services
from services.embedded.postgres import Postgres
from services.embedded.rabbitmq import RabbitMq
from tests.unit.embedded.traces import becomes_true, gone, processes_in

pytestmark = pytest.mark.servers

ENDS_SOON_S = 10.0
LAUNCH = [sys.executable, "-m", "services.embedded", "--"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with closing(Postgres()) as postgres:
        postgres.start()
        yield postgres


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMq]:
    with closing(RabbitMq()) as rabbitmq:
        rabbitmq.start()
        yield rabbitmq


async def query(postgres: Postgres, *commands: str) -> object:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        for command in commands[:-1]:
            await connection.execute(command)
        return await connection.fetchval(commands[-1])
    finally:
        await connection.close()


async def test_postgres_keeps_what_was_committed_through_a_kill(postgres: Postgres) -> None:
    await query(postgres, "create table kept (word text)", "insert into kept values ('yes') returning word")
    first = postgres.pid

    postgres.kill()
    with pytest.raises(ConnectionRefusedError):
        await query(postgres, "select 1")
    postgres.start()

    assert await query(postgres, "select word from kept") == "yes"
    assert postgres.pid not in (0, first)


async def test_postgres_starts_again_after_an_orderly_stop(postgres: Postgres) -> None:
    postgres.stop()
    assert postgres.pid == 0

    postgres.start()

    assert await query(postgres, "show fsync") == "off"


async def test_rabbitmq_keeps_what_was_confirmed_through_a_kill(rabbitmq: RabbitMq) -> None:
    async with await aio_pika.connect(rabbitmq.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "classic"})
        message = aio_pika.Message(b"yes", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")
        rabbitmq.kill()
    rabbitmq.start()

    async with await aio_pika.connect(rabbitmq.url) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        assert (await queue.get()).body == b"yes"


@pytest.fixture
def own_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the folders of this test alone: other servers may come and go on the machine meanwhile."""
    with tempfile.TemporaryDirectory(prefix="own-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o755)
        monkeypatch.setenv("TMPDIR", name)
        yield place


def test_both_are_reached_and_nothing_of_them_stays(own_place: Path) -> None:
    with embedded_services() as urls:
        assert urls.database_url.startswith("postgresql://")
        assert urls.amqp_url.startswith("amqp://")
        folders = list(own_place.iterdir())
        assert folders
        assert all(processes_in(folder) for folder in folders)

    assert all(gone(folder) for folder in folders)


def test_nothing_stays_when_the_launcher_is_killed(own_place: Path) -> None:
    command = [*LAUNCH, "sh", "-c", "echo ready; exec sleep 600"]
    with subprocess.Popen(command, env=_without_servers(), stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout
        launcher.stdout.readline()
        folders = list(own_place.iterdir())
        assert folders

        killed_s = time.monotonic()
        launcher.kill()

        assert becomes_true(lambda: all(gone(folder) for folder in folders), ENDS_SOON_S)
        assert time.monotonic() - killed_s < ENDS_SOON_S


def test_a_missing_server_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq_module, "PROGRAM", Path("/nowhere"))
    monkeypatch.setattr(postgres_module, "INSTALLED", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(EmbeddedUnavailable, match="rabbitmq-server or set AMQP_URL"):
        RabbitMq()
    with pytest.raises(EmbeddedUnavailable, match="postgresql-15 or set DATABASE_URL"):
        Postgres()


def _without_servers() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "AMQP_URL")}
