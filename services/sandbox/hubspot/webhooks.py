"""HubSpot's webhook side: events are gathered for a moment, cut into requests of at most 100, signed and sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from typing import Any

from services.sandbox.sending import Sender

MOST_EVENTS = 100


class Hook:
    """The app's subscription: everything that happens, except what is switched off."""

    def __init__(
        self, *, url: str | None, secret: str, portal_id: int, app_id: int, window_ms: int, retry_ms: int, seed: int
    ) -> None:
        self.sender = Sender(sign=self._sign, url=url, retry_ms=retry_ms)
        self._secret = secret
        self._portal_id = portal_id
        self._app_id = app_id
        self._window_ms = window_ms
        self._rng = random.Random(seed + 1)
        self._waiting: list[dict[str, Any]] = []
        self._timer: asyncio.Task[None] | None = None
        self.echo_own = True
        self.lose_all = False
        self.lose_next = self.duplicate_next = self.reorder_next = 0

    def emit(self, event: dict[str, Any]) -> None:
        """Something happened in the account."""
        own = event["changeSource"] == "INTEGRATION" and event["sourceId"] == str(self._app_id)
        if own and not self.echo_own:
            return
        identity = {
            "eventId": self._rng.randrange(1, 4_000_000_000),
            "subscriptionId": self._rng.randrange(1_000_000, 9_000_000),
            "portalId": self._portal_id,
            "appId": self._app_id,
        }
        self._waiting.append(identity | event)
        if self._timer is None or self._timer.done():
            self._timer = asyncio.ensure_future(self._gather())

    async def _gather(self) -> None:
        await asyncio.sleep(self._window_ms / 1000)
        self._cut()

    def _cut(self) -> None:
        """Turn what was gathered into requests, with the faults that were asked for."""
        events, self._waiting = self._waiting, []
        for start in range(0, len(events), MOST_EVENTS):
            request = events[start : start + MOST_EVENTS]
            if self.reorder_next:
                self.reorder_next -= 1
                request = list(reversed(request))
            if self.lose_all or self.lose_next:
                self.lose_next = max(0, self.lose_next - 1)
                self.sender.counters.lost += 1
                continue
            self.sender.send(request)
            if self.duplicate_next:
                self.duplicate_next -= 1
                self.sender.send(list(reversed(request)))

    def _sign(self, events: list[dict[str, Any]], attempt: int) -> tuple[bytes, dict[str, str]]:
        """Both signatures that HubSpot sends, with a timestamp of this attempt."""
        body = json.dumps([event | {"attemptNumber": attempt} for event in events], separators=(",", ":")).encode()
        return body, signed_headers(self._secret, self.sender.url or "", body, str(time.time_ns() // 1_000_000))

    async def flush(self) -> None:
        """Wait until every event so far is delivered or given up."""
        if self._timer is not None and not self._timer.done():
            await self._timer
        await self.sender.flush()


def signed_headers(secret: str, url: str, body: bytes, timestamp: str) -> dict[str, str]:
    """The headers of a delivery: v1 over secret and body, v3 over method, URL, body and timestamp."""
    source = b"POST" + url.encode() + body + timestamp.encode()
    v3 = base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature": hashlib.sha256(secret.encode() + body).hexdigest(),
        "X-HubSpot-Signature-v3": v3,
        "X-HubSpot-Request-Timestamp": timestamp,
    }
