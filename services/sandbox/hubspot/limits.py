"""Rolling windows, as HubSpot counts: 10 seconds for everything, one second for search; and who may call at all."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from services.sandbox.hubspot.answers import Fault, answer, fault

WINDOW_S = 10.0


@dataclass
class Meter:
    """Counts calls and refuses what is over the limit."""

    limit_per_10s: int
    search_per_s: int
    token: str
    calls: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    most_in_10s: int = 0
    _burst: deque[float] = field(default_factory=deque)
    _search: deque[float] = field(default_factory=deque)

    def admit(self, request: web.Request) -> None:
        """Raise the 401 or 429 that this call deserves; otherwise count it."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise _unauthorised(request.headers.get("Authorization"))
        now = time.monotonic()
        if request.path.endswith("/search"):
            _slide(self._search, now, 1.0)
            if len(self._search) >= self.search_per_s:
                raise _limited("You have reached your secondly limit.", "SECONDLY")
            self._search.append(now)
        _slide(self._burst, now, WINDOW_S)
        if len(self._burst) >= self.limit_per_10s:
            raise _limited("You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING")
        self._burst.append(now)
        self.most_in_10s = max(self.most_in_10s, len(self._burst))

    def headers(self, path: str) -> dict[str, str]:
        """The limit headers; search has none."""
        if path.endswith("/search"):
            return {}
        return {
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(self.limit_per_10s),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.limit_per_10s - len(self._burst))),
        }

    def reset(self) -> None:
        """Forget the counts, not the windows."""
        self.calls.clear()
        self.by_status.clear()
        self.most_in_10s = 0


def _slide(window: deque[float], now: float, length_s: float) -> None:
    while window and window[0] <= now - length_s:
        window.popleft()


def _limited(message: str, policy: str) -> Fault:
    return fault(429, message, errorType="RATE_LIMIT", policyName=policy)


def _unauthorised(given: str | None) -> Fault:
    if not given:
        return fault(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")
    return fault(
        401,
        "The OAuth token used to make this call expired 20543 day(s) ago.",
        "EXPIRED_AUTHENTICATION",
        context={"expire time": ["1970-01-01T00:00:00Z"]},
    )


def endpoint_of(request: web.Request) -> str:
    """The kind of a call, for counting."""
    found = re.search(r"(batch/\w+|search|merge|gdpr-delete)$", request.path)
    name = found.group() if found else f"{request.method} record"
    if "/associations" in request.path:
        return f"associations/{name.removeprefix('batch/')}"
    if "/properties" in request.path:
        return "properties"
    if request.method == "GET" and request.path.rstrip("/").rsplit("/", 1)[-1] in (
        "contacts",
        "companies",
        "0-1",
        "0-2",
    ):
        return "list"
    return name


def meter_middleware(meter: Meter) -> Any:
    """Counts, limits, and turns faults into answers."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(("/_control", "/oauth")):
            return await handler(request)
        meter.calls[endpoint_of(request)] += 1
        try:
            meter.admit(request)
            response = await handler(request)
        except Fault as error:
            response = answer(error.body, error.status)
        meter.by_status[str(response.status)] += 1
        response.headers.update(meter.headers(request.path))
        return response

    return measure
