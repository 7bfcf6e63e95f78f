"""Which connections are cut off, on a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiohttp import web

from webhook_receiver.patience import Patience

HEAD_S, KEEP_ALIVE_S = 8.0, 15.0


@dataclass
class TurnedClock:
    """Stands still until it is turned."""

    now_s: float = 0.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.now_s

    async def turn(self, seconds: float) -> None:
        self.now_s += seconds

    sleep = turn


@dataclass(eq=False)
class Line:
    """An open connection."""

    open: bool = True

    def force_close(self) -> None:
        self.open = False


@dataclass
class House:
    """A server with its connections, and the one who watches them."""

    clock: TurnedClock = field(default_factory=TurnedClock)
    lines: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patience = Patience(self.clock, HEAD_S, KEEP_ALIVE_S)

    @property
    def connections(self) -> list[Line]:
        return [line for line in self.lines if line.open]

    def arrive(self) -> Line:
        """A new connection, seen by the sweeper."""
        self.lines.append(Line())
        self.sweep_after(0)
        return self.lines[-1]

    def sweep_after(self, seconds: float) -> None:
        """Let time pass and sweep."""
        self.clock.now_s += seconds
        self.patience.sweep(cast(web.Server, self))

    async def answer(self, line: Line, seconds: float) -> None:
        """A request on this connection that takes so long."""

        async def handler(_request: Any) -> web.StreamResponse:
            self.sweep_after(seconds)
            return web.Response()

        request = cast(web.Request, type("Request", (), {"protocol": line}))
        await self.patience.middleware(request, handler)


@pytest.fixture
def house() -> House:
    return House()


def test_a_connection_that_brings_no_head_is_cut_off_in_time(house: House) -> None:
    line = house.arrive()
    house.sweep_after(HEAD_S)
    assert line.open

    house.sweep_after(0.1)
    assert not line.open


def test_each_connection_has_a_patience_of_its_own(house: House) -> None:
    early = house.arrive()
    house.sweep_after(5)
    late = house.arrive()
    house.sweep_after(4)

    assert (early.open, late.open) == (False, True)


async def test_a_request_in_hand_is_never_cut_off(house: House) -> None:
    line = house.arrive()
    await house.answer(line, seconds=100)

    assert line.open


async def test_an_answered_connection_may_rest_as_long_as_it_is_kept_alive(house: House) -> None:
    line = house.arrive()
    await house.answer(line, seconds=1)
    house.sweep_after(KEEP_ALIVE_S)
    assert line.open

    house.sweep_after(0.1)
    assert not line.open


async def test_a_stop_waits_for_requests_in_hand_but_not_for_ever(house: House) -> None:
    line = house.arrive()

    async def handler(_request: Any) -> web.StreamResponse:
        await house.patience.all_answered(10)
        return web.Response()

    await house.patience.middleware(cast(web.Request, type("Request", (), {"protocol": line})), handler)
    waited_s = house.clock.now_s
    await house.patience.all_answered(10)

    assert 10 <= waited_s < 11
    assert house.clock.now_s == waited_s


async def test_a_connection_that_is_gone_is_forgotten(house: House) -> None:
    line = house.arrive()
    await house.answer(line, seconds=1)
    line.force_close()
    house.sweep_after(1)

    assert house.patience._silent_until == {}
