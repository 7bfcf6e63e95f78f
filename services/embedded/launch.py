"""Private servers for the length of a with block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from services.embedded.postgres import Postgres
from services.embedded.rabbitmq import RabbitMq


@dataclass(frozen=True)
class Urls:
    """How to reach the private servers; empty for one that was not asked for."""

    database_url: str
    amqp_url: str


@contextmanager
def embedded_postgres(*, durable: bool = False) -> Iterator[str]:
    """A private Postgres; yields its DSN. Raises EmbeddedUnavailable."""
    with closing(Postgres(durable=durable)) as postgres:
        postgres.start()
        yield postgres.dsn


@contextmanager
def embedded_rabbitmq() -> Iterator[str]:
    """A private RabbitMQ; yields its AMQP URL. Raises EmbeddedUnavailable."""
    with closing(RabbitMq()) as rabbitmq:
        rabbitmq.start()
        yield rabbitmq.url


@contextmanager
def embedded_services(*, postgres: bool = True, rabbitmq: bool = True, durable: bool = False) -> Iterator[Urls]:
    """Both servers, or the wanted ones, started side by side. Raises EmbeddedUnavailable."""
    with ExitStack() as stack:
        # Both are found before any is started: a missing one is said at once. RabbitMQ needs the longer start.
        broker = stack.enter_context(closing(RabbitMq())) if rabbitmq else None
        database = stack.enter_context(closing(Postgres(durable=durable))) if postgres else None
        nodes = [node for node in (broker, database) if node]
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_ready()
        yield Urls(database.dsn if database else "", broker.url if broker else "")
