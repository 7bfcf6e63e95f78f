"""The letterbox over real HTTP: what it accepts, refuses and cuts off, and that 200 means stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from schemas.events import Lane, decode_message
from services.clock import SystemClock
from services.falcana.webhook import signature as falcana_signature
from services.hubspot.webhook import signature_v3
from services.queue.memory import MemoryBroker, MemoryPublisher
from tests.world import FALCANA_SECRET, SECRET, receiver_settings
from webhook_receiver.app import create_app, create_internal_app
from webhook_receiver.intake import Intake
from webhook_receiver.patience import Patience

PUBLIC_URL = "https://hooks.example.com/webhooks/hubspot"
ONE_EVENT = b'[{"portalId":4711,"subscriptionType":"contact.creation","objectId":7,"occurredAt":1}]'
POINTER = b'{"seq":812345,"typ":"adresse","id":10482,"art":"geaendert","version":12}'
HEAD_WITHIN_S, READ_WITHIN_S, LINGER_S = 0.3, 0.5, 0.2


@dataclass
class Letterbox:
    """A running receiver on an in-memory broker."""

    url: str
    broker: MemoryBroker
    session: aiohttp.ClientSession
    port: int
    stopping: list[bool] = field(default_factory=list)

    def stored(self) -> int:
        """How many messages are safe."""
        return len(self.broker.lanes[Lane.LIVE])

    async def post(self, body: bytes, path: str = "/webhooks/hubspot", **headers: str) -> tuple[int, str]:
        """One request; status and text."""
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status, await answer.text()

    async def hubspot(self, body: bytes, secret: str = SECRET, **more: str) -> tuple[int, str]:
        """A delivery signed as HubSpot does."""
        timestamp = str(time.time_ns() // 1_000_000)
        headers = {
            "X-HubSpot-Signature-v3": signature_v3(secret, "POST", PUBLIC_URL, body, timestamp),
            "X-HubSpot-Request-Timestamp": timestamp,
        }
        return await self.post(body, **headers, **more)

    async def falcana(self, body: bytes, connection: int = 1, secret: str = FALCANA_SECRET) -> tuple[int, str]:
        """An event signed as falcana does."""
        timestamp = str(int(time.time()))
        headers = {
            "X-Falcana-Signatur": falcana_signature(secret, timestamp, body),
            "X-Falcana-Zeitstempel": timestamp,
        }
        return await self.post(body, f"/webhooks/falcana/{connection}", **headers)


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    """A receiver with little patience."""
    broker, clock = MemoryBroker(), SystemClock()
    publisher, patience = MemoryPublisher(broker), Patience(clock, head_within_s=HEAD_WITHIN_S)
    settings = receiver_settings(PUBLIC_URL).model_copy(update={"read_timeout_s": READ_WITHIN_S})
    app = create_app(Intake(settings, publisher, clock), patience)
    stopping: list[bool] = []
    app.add_subapp("/internal/", create_internal_app(publisher, lambda: bool(stopping)))
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, lingering_time=LINGER_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    assert runner.server is not None
    sweeping = asyncio.ensure_future(patience.keep_sweeping(runner.server))
    async with aiohttp.ClientSession() as session:
        yield Letterbox(f"http://127.0.0.1:{port}", broker, session, port, stopping)
    sweeping.cancel()
    await runner.cleanup()


async def test_a_signed_delivery_is_stored_before_it_is_answered(letterbox: Letterbox) -> None:
    assert await letterbox.hubspot(ONE_EVENT) == (200, "stored")
    assert letterbox.stored() == 1


async def test_a_signed_change_event_of_falcana_is_stored(letterbox: Letterbox) -> None:
    assert await letterbox.falcana(POINTER) == (200, "stored")
    assert letterbox.stored() == 1


async def test_one_request_is_one_message_however_many_events_it_holds(letterbox: Letterbox) -> None:
    rows = ",".join(
        f'{{"portalId":4711,"subscriptionType":"contact.creation","objectId":{n},"occurredAt":1}}' for n in range(100)
    )
    assert (await letterbox.hubspot(f"[{rows}]".encode()))[0] == 200
    assert letterbox.stored() == 1


async def test_every_refusal_gets_the_same_bytes(letterbox: Letterbox) -> None:
    answers = {
        await letterbox.post(ONE_EVENT),
        await letterbox.hubspot(ONE_EVENT, secret="wrong"),
        await letterbox.hubspot(b"not json", secret="wrong"),
        await letterbox.falcana(POINTER, secret="wrong"),
        await letterbox.falcana(POINTER, connection=2),
    }
    assert answers == {(401, "not authorised")}
    assert letterbox.stored() == 0


async def test_the_host_and_forwarded_headers_do_not_count(letterbox: Letterbox) -> None:
    spoofed = {"X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "http"}
    assert (await letterbox.hubspot(ONE_EVENT, **spoofed))[0] == 200


@pytest.mark.parametrize("body", [b"{", b"{}", b'["x"]', b'[{"portalId":"x"}]', b"\xff\xfe"])
async def test_a_signed_body_nobody_can_read_is_400_with_a_reason(letterbox: Letterbox, body: bytes) -> None:
    status, text = await letterbox.hubspot(body)
    assert (status, bool(text)) == (400, True)
    assert letterbox.stored() == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"seq":"x"}', b'{"seq":1,"typ":"projekt","id":1,"art":"geaendert"}'])
async def test_a_signed_falcana_body_nobody_can_read_is_400(letterbox: Letterbox, body: bytes) -> None:
    assert (await letterbox.falcana(body))[0] == 400


@pytest.mark.parametrize(
    "body",
    [
        b'[{"portalId":1,"subscriptionType":"contact.creation","objectId":7}]',
        b'[{"portalId":4711,"subscriptionType":"deal.creation","objectId":7}]',
        b'[{"portalId":4711,"subscriptionType":"contact.propertyChange","objectId":123,"changeSource":"CRM",'
        b'"changeFlag":"NEW","propertyName":"message","propertyValue":"sample-value"}]',
        b"[]",
    ],
)
async def test_what_is_ignored_on_purpose_is_200_and_no_message(letterbox: Letterbox, body: bytes) -> None:
    assert (await letterbox.hubspot(body))[0] == 200
    assert letterbox.stored() == 0


async def test_a_body_over_one_mebibyte_is_413_by_length_and_chunked(letterbox: Letterbox) -> None:
    large = b"x" * (1_048_576 + 1)

    async def chunks() -> AsyncIterator[bytes]:
        for _part in range(33):
            yield b"x" * 32_768

    assert (await letterbox.post(large))[0] == 413
    async with letterbox.session.post(f"{letterbox.url}/webhooks/hubspot", data=chunks()) as answer:
        assert answer.status == 413


async def test_a_compressed_body_is_not_taken(letterbox: Letterbox) -> None:
    assert (await letterbox.hubspot(ONE_EVENT, **{"Content-Encoding": "gzip"}))[0] == 415


async def test_other_methods_and_paths_lead_nowhere(letterbox: Letterbox) -> None:
    async with letterbox.session.get(f"{letterbox.url}/webhooks/hubspot") as answer:
        assert answer.status == 405
    assert (await letterbox.post(POINTER, "/webhooks/falcana/x"))[0] == 404


async def test_a_broker_that_is_away_means_503_and_the_next_attempt_is_stored(letterbox: Letterbox) -> None:
    letterbox.broker.away = True
    assert (await letterbox.hubspot(ONE_EVENT))[0] == 503
    letterbox.broker.away = False
    assert (await letterbox.hubspot(ONE_EVENT))[0] == 200
    assert letterbox.stored() == 1


async def test_readiness_says_what_happens(letterbox: Letterbox) -> None:
    async with letterbox.session.get(f"{letterbox.url}/internal/readyz") as answer:
        assert answer.status == 200
    letterbox.broker.away = True
    async with letterbox.session.get(f"{letterbox.url}/internal/readyz") as answer:
        assert (answer.status, "503" in (await answer.json())["means"]) == (503, True)
    letterbox.stopping.append(True)
    async with letterbox.session.get(f"{letterbox.url}/internal/livez") as answer:
        assert answer.status == 200


async def test_metrics_tell_no_values(letterbox: Letterbox) -> None:
    await letterbox.hubspot(ONE_EVENT.replace(b"}]", b',"propertyValue":"canary@example.com"}]'))
    async with letterbox.session.get(f"{letterbox.url}/internal/metrics") as answer:
        text = await answer.text()
    assert "fsync_webhook_requests_total" in text
    assert "canary" not in text


async def raw(letterbox: Letterbox, request: bytes) -> bytes:
    """Everything that comes back until the connection is closed, for bytes that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", letterbox.port)
    writer.write(request)
    async with asyncio.timeout(HEAD_WITHIN_S + READ_WITHIN_S + LINGER_S + 5):
        answer = await reader.read()
    writer.close()
    return answer


def hook(headers: bytes, body: bytes) -> bytes:
    """A request as it goes over the line."""
    return b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body


async def test_a_body_that_comes_too_slowly_is_cut_off(letterbox: Letterbox) -> None:
    started = time.monotonic()
    answer = await raw(letterbox, hook(b"Content-Length: 100\r\n", b"[{"))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer
    assert time.monotonic() - started < 4


async def test_a_signature_of_bytes_that_are_no_text_is_refused_like_any_other(letterbox: Letterbox) -> None:
    timestamp = str(time.time_ns() // 1_000_000).encode()
    headers = b"X-HubSpot-Signature-v3: \xff\xfe\r\nX-HubSpot-Request-Timestamp: " + timestamp + b"\r\n"
    answer = await raw(letterbox, hook(headers + b"Connection: close\r\nContent-Length: 2\r\n", b"[]"))

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"not authorised")


async def test_an_announced_body_over_the_limit_is_refused_before_it_is_read(letterbox: Letterbox) -> None:
    answer = await raw(letterbox, hook(b"Content-Length: 2000000\r\n", b""))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_the_same_bytes_a_hundred_times_are_one_message(letterbox: Letterbox) -> None:
    timestamp = str(time.time_ns() // 1_000_000)
    signature = signature_v3(SECRET, "POST", PUBLIC_URL, ONE_EVENT, timestamp)
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}
    answers = {await letterbox.post(ONE_EVENT, **headers) for _time in range(100)}

    assert answers == {(200, "stored"), (200, "nothing to do")}
    assert letterbox.stored() == 1


async def test_events_of_one_record_in_one_request_are_one_hint(letterbox: Letterbox) -> None:
    change = '{"portalId":4711,"subscriptionType":"contact.propertyChange","objectId":7,"propertyName":"%s"}'
    assert (await letterbox.hubspot(f"[{change % 'email'},{change % 'phone'}]".encode()))[0] == 200
    (stored,) = letterbox.broker.lanes[Lane.LIVE]
    (hint,) = decode_message(stored.body).hints

    assert hint.fields == ("email", "phone")


async def test_words_of_a_sender_do_not_become_metrics(letterbox: Letterbox) -> None:
    made_up = b'[{"portalId":%d,"subscriptionType":"canary.creation","objectId":7}]'
    for portal in (1, 4711):
        assert (await letterbox.hubspot(made_up % portal))[0] == 200
    await letterbox.falcana(b'{"seq":1,"typ":"adresse","id":1,"art":"canary"}')
    async with letterbox.session.get(f"{letterbox.url}/internal/metrics") as answer:
        assert "canary" not in await answer.text()


@pytest.mark.parametrize("head", [b"", b"POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_without_a_complete_head_is_cut_off(letterbox: Letterbox, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", letterbox.port)
    writer.write(head)
    async with asyncio.timeout(HEAD_WITHIN_S + 5):
        assert await reader.read() == b""
    writer.close()
