"""HubSpot's webhook side: events are gathered for a moment, cut into requests of at most 100, signed and sent.

A request that is not answered with 2xx in time is sent again up to ten times, with the same events, a growing
``attemptNumber`` and a fresh signature (webhooks guide).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import re
import time
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import aiohttp

from services.sandbox.hubspot.events import Event
from services.sandbox.hubspot.portal import Identity
from services.sandbox.sending import Sender

MOST_EVENTS = 100
DECODED = re.compile("%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
OBJECT_TYPE_IDS = {"contact": "0-1", "company": "0-2"}


@dataclass
class Deliverer(Sender):
    """Sends with a timeout of its own; a redirect is not a success."""

    timeout_s: float = 5.0

    async def _attempt(self, payload: Any, attempt: int) -> bool:
        body, headers = self.sign(payload, attempt)
        self.counters.attempts += 1
        timeout = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with self._open().post(
                self.url or "", data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


@dataclass
class Delivery:
    """Where and how events are sent. Times in the unit of their name."""

    url: str | None
    secret: str
    window_ms: int
    retry_ms: int
    timeout_s: float
    seed: int


@dataclass
class Switches:
    """What goes wrong on demand, and which of the known forms events have. Counts are numbers of requests."""

    lose_next: int = 0
    duplicate_next: int = 0
    reorder_next: int = 0
    lose_all: bool = False
    echo_own: bool = True
    generic: bool = False
    event_type_key: bool = False


class Hook:
    """The app's subscriptions: everything that happens, except what is switched off."""

    def __init__(self, identity: Identity, delivery: Delivery) -> None:
        self.sender = Deliverer(
            sign=self._sign, url=delivery.url, retry_ms=delivery.retry_ms, timeout_s=delivery.timeout_s
        )
        self.switches = Switches()
        self.unsubscribed: set[str] = set()
        self._identity = identity
        self._delivery = delivery
        self._rng = random.Random(delivery.seed + 1)
        self._waiting: list[Event] = []
        self._timer: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Requests on their way, and one for events that are still gathered."""
        return self.sender.pending + bool(self._waiting)

    def emit(self, event: Event) -> None:
        """Something happened in the account."""
        own = (event["changeSource"], event["sourceId"]) == ("INTEGRATION", str(self._identity.app_id))
        if self.sender.url is None or _subscription(event) in self.unsubscribed or (own and not self.switches.echo_own):
            return
        self._waiting.append(self._identified(event))
        if self._timer is None or self._timer.done():
            self._timer = asyncio.ensure_future(self._gather())

    def _identified(self, event: Event) -> Event:
        return {
            "eventId": self._rng.randrange(1, 4_000_000_000),
            "subscriptionId": 1_000_000 + zlib.crc32(_subscription(event).encode()) % 8_000_000,
            "portalId": self._identity.portal_id,
            "appId": self._identity.app_id,
            **self._formed(event),
        }

    def _formed(self, event: Event) -> Event:
        """The event in the form that is switched on: classic, generic, or with the key that the documents name."""
        made = dict(event)
        side, _, kind = event["subscriptionType"].partition(".")
        if self.switches.generic and kind != "privacyDeletion":
            made["subscriptionType"] = f"object.{kind}"
            made |= _generic(side, kind)
        if self.switches.event_type_key:
            made["eventType"] = made.pop("subscriptionType")
        return made

    async def _gather(self) -> None:
        await asyncio.sleep(self._delivery.window_ms / 1000)
        self._cut()

    def _cut(self) -> None:
        """Turn what was gathered into requests, with the faults that were asked for."""
        events, self._waiting = self._waiting, []
        for start in range(0, len(events), MOST_EVENTS):
            self._send(events[start : start + MOST_EVENTS])

    def _send(self, request: list[Event]) -> None:
        wrong = self.switches
        if wrong.reorder_next:
            wrong.reorder_next -= 1
            request = list(reversed(request))
        if wrong.lose_all or wrong.lose_next:
            wrong.lose_next = max(0, wrong.lose_next - 1)
            self.sender.counters.lost += 1
            return
        self.sender.send(request)
        if wrong.duplicate_next:
            wrong.duplicate_next -= 1
            self.sender.send(list(reversed(request)))

    def _sign(self, events: list[Event], attempt: int) -> tuple[bytes, dict[str, str]]:
        """Both signatures that HubSpot sends, with a timestamp of this attempt."""
        body = json.dumps([event | {"attemptNumber": attempt} for event in events], separators=(",", ":")).encode()
        now_ms = time.time_ns() // 1_000_000
        return body, signed_headers(self._delivery.secret, self.sender.url or "", body, str(now_ms))

    def test(self) -> None:
        """What the Test button of the app settings sends: object 123 does not exist."""
        event = {
            "eventId": 100,
            "objectId": 123,
            "changeSource": "CRM",
            "changeFlag": "NEW",
            "occurredAt": time.time_ns() // 1_000_000,
            "subscriptionType": "contact.propertyChange",
            "propertyName": "message",
            "propertyValue": "sample-value",
        }
        self._send([self._identified(event) | {"eventId": 100}])

    async def flush(self) -> None:
        """Wait until every event so far is delivered or given up."""
        while self.pending:
            if self._timer is not None:
                await asyncio.wait([self._timer])
            await self.sender.flush()

    async def close(self) -> None:
        """Give everything up."""
        if self._timer is not None:
            self._timer.cancel()
        await self.sender.close()


def _subscription(event: Event) -> str:
    """What an app subscribes to: contact.creation, company.propertyChange:name and so on."""
    name = event.get("propertyName")
    return f"{event['subscriptionType']}:{name}" if name else str(event["subscriptionType"])


def _generic(side: str, kind: str) -> Event:
    if kind == "associationChange":
        other = "company" if side == "contact" else "contact"
        return {"fromObjectTypeId": OBJECT_TYPE_IDS[side], "toObjectTypeId": OBJECT_TYPE_IDS[other]}
    more = {"isSensitive": False} if kind == "propertyChange" else {}
    return {"objectTypeId": OBJECT_TYPE_IDS[side], **more}


def signed_headers(secret: str, url: str, body: bytes, timestamp: str) -> dict[str, str]:
    """The headers of a delivery: v1 over secret and body, v3 over method, URL, body and timestamp.

    Of the escapes in the URL a fixed list is decoded before signing, and no others (guide to validating requests).
    """
    source = b"POST" + DECODED.sub(lambda found: unquote(found.group()), url).encode() + body + timestamp.encode()
    v3 = base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-Version": "v1",
        "X-HubSpot-Signature": hashlib.sha256(secret.encode() + body).hexdigest(),
        "X-HubSpot-Signature-v3": v3,
        "X-HubSpot-Request-Timestamp": timestamp,
    }
