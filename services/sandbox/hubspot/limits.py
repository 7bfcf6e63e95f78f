"""Rolling windows as HubSpot counts: ten seconds for calls, one second for search, and what was called."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from services.sandbox.hubspot.answers import Fault, answer, fault
from services.sandbox.hubspot.oauth_api import Tokens

UNCOUNTED = ("/_control", "/oauth")
ENDING = re.compile(r"(batch/[\w/]+|search|merge|gdpr-delete)$")


@dataclass
class Window:
    """The moments of the calls that still count."""

    length_s: float
    limit: int
    calls: deque[float] = field(default_factory=deque)
    most: int = 0

    def admits(self) -> bool:
        """Count a call; False when it is one too many, which then does not count."""
        now = time.monotonic()
        while self.calls and self.calls[0] <= now - self.length_s:
            self.calls.popleft()
        if len(self.calls) >= self.limit:
            return False
        self.calls.append(now)
        self.most = max(self.most, len(self.calls))
        return True

    @property
    def remaining(self) -> int:
        """Calls that are still free in this window."""
        return max(0, self.limit - len(self.calls))


class Meter:
    """Counts calls and refuses what is over a limit. Search has a window of its own (usage guidelines)."""

    def __init__(self, per_10s: int, search_per_s: int, tokens: Tokens) -> None:
        self.burst = Window(10.0, per_10s)
        self.search = Window(1.0, search_per_s)
        self.tokens = tokens
        self.calls: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()

    def admit(self, request: web.Request) -> None:
        """Raise the 401 or 429 that this call deserves; otherwise count it."""
        self.tokens.check(request.headers.get("Authorization"))
        if _is_search(request):
            if not self.search.admits():
                raise _limited("You have reached your secondly limit.", "SECONDLY")
        elif not self.burst.admits():
            raise _limited("You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING")

    def headers(self, request: web.Request) -> dict[str, str]:
        """The limit headers; search has none, and OAuth tokens see no daily ones."""
        if _is_search(request):
            return {}
        per_s = self.burst.limit // 10
        return {
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(self.burst.limit),
            "X-HubSpot-RateLimit-Remaining": str(self.burst.remaining),
            "X-HubSpot-RateLimit-Secondly": str(per_s),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(per_s, self.burst.remaining)),
        }

    def reset(self) -> None:
        """Forget the counts, not the windows."""
        self.calls.clear()
        self.by_status.clear()
        self.burst.most = 0

    def stats(self) -> dict[str, Any]:
        """Calls by kind, by status, and the most in any ten seconds; those for associations also in one sum."""
        related = sum(count for name, count in self.calls.items() if name.startswith("associations/"))
        return {
            "calls": dict(self.calls),
            "total_calls": self.calls.total(),
            "association_calls": related,
            "by_status": dict(self.by_status),
            "max_in_10s": self.burst.most,
        }


def _is_search(request: web.Request) -> bool:
    return request.path.endswith("/search")


def _limited(message: str, policy: str) -> Fault:
    return fault(429, message, errorType="RATE_LIMIT", policyName=policy)


def endpoint_of(request: web.Request) -> str:
    """The kind of a call, for counting: batch/update, search, associations/read, list, GET record and so on."""
    found = ENDING.search(request.path)
    name = found.group() if found else f"{request.method} record"
    if "/associations" in request.path:
        return f"associations/{name.removeprefix('batch/')}"
    if "/properties" in request.path:
        return "properties"
    if not request.path.startswith("/crm"):
        return "account"
    if request.method == "GET" and "id" not in request.match_info:
        return "list"
    return name


def meter_middleware(meter: Meter) -> Middleware:
    """Checks who calls, counts, limits, and turns faults into answers."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(UNCOUNTED):
            return await answered(request, handler)
        meter.calls[endpoint_of(request)] += 1
        response = await answered(request, _admitted(meter, handler))
        meter.by_status[str(response.status)] += 1
        response.headers.update(meter.headers(request))
        return response

    return measure


def _admitted(meter: Meter, handler: Handler) -> Handler:
    async def admit(request: web.Request) -> web.StreamResponse:
        meter.admit(request)
        return await handler(request)

    return admit


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, also when it is a fault."""
    try:
        return await handler(request)
    except Fault as error:
        return answer(error.body, error.status)
    except web.HTTPException as error:
        return answer({"status": "error", "message": error.reason}, error.status)
