"""Servers for the tests: the ones named in the environment, or private ones for the length of the run."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from services.embedded.launch import embedded_services
from tests.world import World, make_world

# The same examples in every run, and no verdict by the clock: a busy machine is no fault of a law.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, str]]:
    """A real Postgres and a real RabbitMQ.

    What is missing is started; what cannot be had is a failure, never a skip.
    """
    given = {"database": os.environ.get("DATABASE_URL", ""), "amqp": os.environ.get("AMQP_URL", "")}
    with embedded_services(postgres=not given["database"], rabbitmq=not given["amqp"]) as urls:
        yield {"database": given["database"] or urls.database_url, "amqp": given["amqp"] or urls.amqp_url}


@pytest.fixture
async def world(servers: dict[str, str]) -> AsyncIterator[World]:
    """Both sandboxes, the receiver and the worker on a fresh database, both directions on."""
    async with make_world(servers) as made:
        yield made
