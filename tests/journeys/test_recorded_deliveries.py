"""Deliveries as they were captured, byte for byte but for the record id, freshly signed, through the whole path."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from services.hubspot.webhook import signature_v3
from tests.journeys.stories import linked_company, linked_person
from tests.world import SECRET, World

RECORDINGS = Path(__file__).parent.parent / "recordings" / "hubspot"


def recording(name: str, record_id: str = "", other_id: str = "") -> bytes:
    """A captured body, about records of this world."""
    body = (RECORDINGS / f"{name}.json").read_bytes().rstrip(b"\n")
    return body.replace(b"@ID@", record_id.encode()).replace(b"@ID2@", other_id.encode())


async def deliver(world: World, body: bytes) -> int:
    """Send a body as HubSpot would; the status."""
    url = f"{world.receiver_url}/webhooks/hubspot"
    timestamp = str(world.bench.shop.clock.now_ms())
    headers = {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": signature_v3(SECRET, "POST", url, body, timestamp),
        "X-HubSpot-Request-Timestamp": timestamp,
    }
    async with world.session.post(url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_creation_burst_with_shuffled_changes_and_equal_times_makes_one_person(world: World) -> None:
    await world.hubspot.webhooks(lose_all=True)
    fields = {"firstname": "Bea", "lastname": "Burst", "email": "burst@example.com", "phone": "+43 1 2345678"}
    hubspot_id = await world.hubspot.create("contacts", fields)
    assert await deliver(world, recording("creation_burst", hubspot_id)) == 200
    await world.settle()

    (person,) = await world.falcana.all("ansprechpartner")
    assert (person["vorname"], person["nachname"], person["email"]) == ("Bea", "Burst", "burst@example.com")


async def test_the_echo_of_an_own_write_writes_nothing_and_reads_nothing(world: World) -> None:
    person = await linked_person(world, await linked_company(world))
    await world.hubspot.ask("POST", "/stats/reset")
    assert await deliver(world, recording("own_echo", person[0])) == 200
    await world.settle()

    assert (await world.hubspot.ask("GET", "/stats"))["total_calls"] == 0
    assert await world.hubspot.writes() == []


async def test_a_bulk_delete_newest_first_blocks_both_people(world: World) -> None:
    company = await linked_company(world)
    first = await linked_person(world, company)
    second = await linked_person(world, company, lastname="Zweite", email="zweite@example.com")
    await world.hubspot.webhooks(lose_all=True)
    await world.hubspot.ask("POST", "/records/contacts/bulk-delete", {"ids": [first[0], second[0]]})
    assert await deliver(world, recording("bulk_delete", first[0], second[0])) == 200
    await world.settle()

    counts = await world.store.links.count_by_state(1)
    assert counts["contact"] == {"hubspot_deleted": 2}
    assert len(await world.falcana.all("ansprechpartner")) == 2


async def test_a_sensitive_value_is_never_taken_from_the_event(world: World) -> None:
    person = await linked_person(world, await linked_company(world))
    assert await deliver(world, recording("sensitive_value", person[0])) == 200
    await world.settle()

    assert "REDACTED" not in str(await world.falcana.show("ansprechpartner", person[1]))


async def test_the_test_button_is_accepted_and_ignored(world: World) -> None:
    assert await deliver(world, recording("test_button")) == 200
    await world.settle()

    assert await world.store.links.count_by_state(1) == {}


@pytest.mark.parametrize("portal", [b'"portalId":4711', b'"portalId":1'])
async def test_events_of_unknown_portals_are_accepted_and_ignored(world: World, portal: bytes) -> None:
    hubspot_id = await world.hubspot.create("contacts", {"lastname": "Fremd"})
    await world.settle()
    body = recording("own_echo", hubspot_id).replace(b'"portalId":4711', portal)
    assert await deliver(world, body) == 200


async def test_the_same_delivery_a_hundred_times_is_one_message(world: World) -> None:
    company = await linked_company(world)
    body = recording("sensitive_value", company[0])
    url = f"{world.receiver_url}/webhooks/hubspot"
    timestamp = str(world.bench.shop.clock.now_ms())
    signature = signature_v3(SECRET, "POST", url, body, timestamp)
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}
    answers = set()
    for _time in range(100):
        async with world.session.post(url, data=body, headers=headers) as answer:
            answers.add((answer.status, await answer.text()))

    assert answers == {(200, "stored"), (200, "nothing to do")}
    assert len(await world.consumer.collect(100, 0.05, 1.0)) == 1


async def test_a_signature_over_another_body_is_refused(world: World) -> None:
    url = f"{world.receiver_url}/webhooks/hubspot"
    timestamp = str(world.bench.shop.clock.now_ms())
    signature = signature_v3(SECRET, "POST", url, b"[]", timestamp)
    headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}
    async with aiohttp.ClientSession() as session, session.post(url, data=b"[{}]", headers=headers) as answer:
        assert answer.status == 401
