"""How a story is told: one step after the other, each judged by the state of both systems."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

LOOK_EVERY_S = 0.05
Probe = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Step:
    """One row of the table."""

    what: str
    expected: str
    seen: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether it came as expected."""
        return self.expected == self.seen

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"holds": self.holds}


@dataclass
class Story:
    """The rows so far. ``tell`` is called with each new one."""

    tell: Callable[[Step], None]
    within_s: float = 20.0
    steps: list[Step] = field(default_factory=list)

    async def expect(self, what: str, expected: Any, probe: Probe, within_s: float | None = None) -> Any:
        """Look until the probe shows what is expected, or time is up."""
        started = time.monotonic()
        deadline = started + (within_s or self.within_s)
        seen = await self._look(probe)
        while str(seen) != str(expected) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_EVERY_S)
            seen = await self._look(probe)
        step = Step(what, str(expected), str(seen), round(time.monotonic() - started, 2))
        self.steps.append(step)
        self.tell(step)
        return seen

    async def _look(self, probe: Probe) -> Any:
        try:
            return await probe()
        except (RuntimeError, KeyError, TypeError, IndexError, AttributeError) as error:
            return f"not there yet ({type(error).__name__})"

    async def wait_for(self, probe: Probe) -> Any:
        """Wait for something true that is no step of its own. Raises RuntimeError when it does not come."""
        deadline = time.monotonic() + self.within_s
        while time.monotonic() < deadline:
            found = await self._look(probe)
            if found and not str(found).startswith("not there yet"):
                return found
            await asyncio.sleep(LOOK_EVERY_S)
        raise RuntimeError("the story cannot go on: something it needs did not come")

    @property
    def failed(self) -> list[Step]:
        """The rows that do not hold."""
        return [step for step in self.steps if not step.holds]
