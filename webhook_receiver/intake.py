"""The letterbox: verify -> publish -> confirm -> answer. Nothing else happens in the request.

Ignored on purpose is 200. Not confirmed is 503: the sender comes back, and the poller finds what never came. A
refused request gets the same bytes whatever was wrong with it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from aiohttp import web

from schemas.events import Hint, HintMessage
from services.clock import Clock
from services.falcana import webhook as falcana
from services.hints import HintPublisher, QueueUnavailable
from services.hubspot import webhook as hubspot
from services.settings import ReceiverSettings
from services.telemetry import (
    log,
    webhook_events_total,
    webhook_malformed_total,
    webhook_request_duration_seconds,
    webhook_requests_total,
    webhook_signature_failures_total,
)

MOST_REMEMBERED = 50_000


class SeenSignatures:
    """Signatures of the last minutes, so that a replayed request is not published again.

    Bounded; losing one does no harm.
    """

    def __init__(self, window_s: int) -> None:
        self._window_ms = window_s * 2000
        self._seen: OrderedDict[str, int] = OrderedDict()

    def known(self, signature: str, now_ms: int) -> bool:
        """Whether this signature was stored within the window."""
        while self._seen and next(iter(self._seen.values())) < now_ms - self._window_ms:
            self._seen.popitem(last=False)
        return signature in self._seen

    def remember(self, signature: str, now_ms: int) -> None:
        """Keep a signature whose message is safe."""
        self._seen[signature] = now_ms
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)


@dataclass
class Intake:
    """The two hooks."""

    settings: ReceiverSettings
    publisher: HintPublisher
    clock: Clock
    signatures: SeenSignatures = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty memory."""
        self.signatures = SeenSignatures(self.settings.signature_window_s)

    async def hubspot(self, request: web.Request) -> web.Response:
        """POST /webhooks/hubspot."""
        with webhook_request_duration_seconds.time():
            response = await self._hubspot(request)
        webhook_requests_total.labels("hubspot", str(response.status)).inc()
        return response

    async def _hubspot(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        now_ms = self.clock.now_ms()
        secrets = [secret.get_secret_value() for secret in self.settings.hubspot_client_secrets]
        try:
            signature = hubspot.verify(
                list(request.headers.items()),
                body,
                secrets,
                self.settings.hubspot_public_url,
                now_ms,
                self.settings.signature_window_s,
            )
            events = hubspot.read_events(body)
        except hubspot.BadSignature as error:
            return _refused(error.reason)
        except hubspot.Malformed as error:
            return _malformed(error.reason)
        return await self._store(signature, _pointed_at(events, self.settings), now_ms)

    async def falcana(self, request: web.Request) -> web.Response:
        """POST /webhooks/falcana/{connection_id}."""
        with webhook_request_duration_seconds.time():
            response = await self._falcana(request)
        webhook_requests_total.labels("falcana", str(response.status)).inc()
        return response

    async def _falcana(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        if isinstance(body, web.Response):
            return body
        now_ms = self.clock.now_ms()
        connection_id = int(request.match_info["connection_id"])
        secrets = [one.get_secret_value() for one in self.settings.falcana_secrets.get(connection_id, [])]
        try:
            window_s = self.settings.signature_window_s
            signature = falcana.verify(list(request.headers.items()), body, secrets, now_ms, window_s)
            pointer = falcana.read_pointer(body)
        except falcana.BadSignature as error:
            return _refused(error.reason)
        except falcana.Malformed as error:
            return _malformed(error.reason)
        hint = falcana.hint_of(pointer, connection_id, now_ms)
        _count_event(*((f"{pointer.typ}.{pointer.art}", "hinted") if hint else ("unknown", "unknown_type")))
        return await self._store(signature, [hint] if hint else [], now_ms)

    async def _body(self, request: web.Request) -> bytes | web.Response:
        """The raw bytes, under a limit of size and time.

        Compressed bodies are not taken: their size cannot be trusted.
        """
        if any(one.lower() != "identity" for one in request.headers.getall("Content-Encoding", [])):
            return _cut(415, "send the body uncompressed")
        if (request.content_length or 0) > self.settings.max_body_bytes:
            return _cut(413, f"at most {self.settings.max_body_bytes} bytes")
        try:
            async with asyncio.timeout(self.settings.read_timeout_s):
                return await request.read()
        except TimeoutError:
            return _cut(408, "the body came too slowly")
        except web.HTTPRequestEntityTooLarge:
            return _cut(413, f"at most {self.settings.max_body_bytes} bytes")
        except web.RequestPayloadError:
            return _cut(400, "the body is not complete")

    async def _store(self, signature: str, hints: Sequence[Hint], now_ms: int) -> web.Response:
        """One confirmed message for the whole request, then 200."""
        if not hints or self.signatures.known(signature, now_ms):
            return web.Response(text="nothing to do")
        message = HintMessage(id=uuid4().hex, accepted_ms=now_ms, hints=tuple(hints))
        try:
            await self.publisher.publish(message)
        except QueueUnavailable as error:
            log.warning("not_stored", request_id=message.id, error=type(error).__name__, hints=len(hints))
            return web.Response(status=503, text="try again later", headers={"Retry-After": "10"})
        self.signatures.remember(signature, now_ms)
        log.info("stored", request_id=message.id, hints=len(hints))
        return web.Response(text="stored")


def _pointed_at(events: Sequence[hubspot.Event], settings: ReceiverSettings) -> list[Hint]:
    """One hint per record that the events of a request speak of."""
    hints = []
    for event in events:
        found, outcome = hubspot.hints_of(event, settings.portals, settings.hubspot_app_id)
        hints += found
        _count_event(event.label, outcome)
    return hubspot.coalesce(hints)


def _cut(status: int, text: str) -> web.Response:
    """An answer to a body that was not read to its end; the connection is not used again."""
    response = web.Response(status=status, text=text)
    response.force_close()
    return response


def _count_event(label: str, outcome: str) -> None:
    """Unknown types share one label: senders must not be able to make metrics grow."""
    webhook_events_total.labels(label, outcome).inc()
    if outcome not in ("hinted", "test"):
        log.info("event_ignored", outcome=outcome)


def _refused(reason: str) -> web.Response:
    webhook_signature_failures_total.labels(reason).inc()
    return web.Response(status=401, text="not authorised")


def _malformed(reason: str) -> web.Response:
    webhook_malformed_total.labels(reason.partition(":")[0]).inc()
    return web.Response(status=400, text=reason)
