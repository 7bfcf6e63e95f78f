"""What the account tells the app, how it is signed, and how often it is tried."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from typing import Any

import pytest

from services.sandbox.hubspot.webhooks import signed_headers
from tests.unit.sandbox.hubspot_account import OBJECTS, SECRET, Account, account


def kinds(events: list[dict[str, Any]]) -> Counter[str]:
    return Counter(event["subscriptionType"] for event in events)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ],
)
def test_signatures_match_the_vectors_of_the_official_libraries(timestamp: str, expected: str) -> None:
    body = b"{'example_field':'example_value'}"

    headers = signed_headers(SECRET, "https://www.example.com/webhook_uri", body, timestamp)

    assert headers["X-HubSpot-Signature-v3"] == expected
    assert headers["X-HubSpot-Signature"] == "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"


async def test_a_delivery_carries_both_signatures_over_the_raw_body() -> None:
    async with account() as hubspot:
        await hubspot.made("companies", name="Müller")
        await hubspot.told()

        (delivery,) = hubspot.receiver.deliveries
        timestamp = delivery.headers["X-HubSpot-Request-Timestamp"]
        source = b"POST" + hubspot.receiver.url.encode() + delivery.body + timestamp.encode()
        v3 = base64.b64encode(hmac.new(SECRET.encode(), source, hashlib.sha256).digest()).decode()
        assert delivery.headers["X-HubSpot-Signature-v3"] == v3
        assert delivery.headers["X-HubSpot-Signature"] == hashlib.sha256(SECRET.encode() + delivery.body).hexdigest()


async def test_a_creation_is_a_burst_with_one_time_and_no_computed_properties() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="Max", lastname="Muster", email="a@example.com")

        events = await hubspot.told()

        assert kinds(events) == {"contact.propertyChange": 3, "contact.creation": 1}
        assert len({event["occurredAt"] for event in events}) == 1
        assert {event["objectId"] for event in events} == {int(record_id)}
        assert {event.get("propertyName") for event in events} == {"firstname", "lastname", "email", None}
        (creation,) = [event for event in events if event["subscriptionType"] == "contact.creation"]
        assert (creation["changeFlag"], creation["changeSource"]) == ("CREATED", "CRM_UI")
        assert (creation["portalId"], creation["appId"], creation["attemptNumber"]) == (4711, 99, 0)


async def test_own_writes_come_back_as_echoes_unless_they_change_nothing() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="A")
        await hubspot.told()
        for _ in range(2):
            await hubspot.ask("PATCH", f"{OBJECTS}/companies/{record_id}", {"properties": {"name": "B"}})

        echo = (await hubspot.told())[-1]

        assert len(hubspot.receiver.deliveries) == 2
        assert (echo["propertyValue"], echo["changeSource"], echo["sourceId"]) == ("B", "INTEGRATION", "99")


async def test_unique_properties_are_not_subscribed_and_dates_are_milliseconds() -> None:
    async with account() as hubspot:
        await hubspot.unique("companies")
        body = {"name": "start", "label": "s", "type": "date", "fieldType": "date", "groupName": "companyinformation"}
        await hubspot.ask("POST", "/crm/properties/2026-09/companies", body)
        await hubspot.made("companies", name="A", falcana_id="F1", start="2026-05-04")

        values = {event.get("propertyName"): event.get("propertyValue") for event in await hubspot.told()}

        assert values == {None: None, "name": "A", "start": "1777852800000"}


async def test_deletions_from_a_list_come_newest_first() -> None:
    async with account() as hubspot:
        ids = [await hubspot.made("contacts", firstname=name) for name in "ab"]
        await hubspot.told()
        hubspot.receiver.deliveries.clear()

        await hubspot.person("POST", "/records/contacts/bulk-delete", {"ids": ids})

        events = await hubspot.told()
        assert [str(event["objectId"]) for event in events] == list(reversed(ids))
        assert {(event["changeFlag"], event["changeSource"]) for event in events} == {("DELETED", "CRM_UI_BULK_ACTION")}


async def test_a_merge_names_winner_loser_and_the_new_record() -> None:
    async with account() as hubspot:
        winner, loser = [await hubspot.made("companies", name=name) for name in "ab"]
        body = {"primaryObjectId": winner, "objectIdToMerge": loser}
        survivor = (await hubspot.person("POST", "/records/companies/merge", body))["id"]

        (event,) = [one for one in await hubspot.told() if one["subscriptionType"] == "company.merge"]

        assert event["primaryObjectId"] == int(winner)
        assert event["mergedObjectIds"] == [int(loser)]
        assert event["newObjectId"] == event["objectId"] == int(survivor)


async def test_a_new_primary_company_is_told_from_both_sides_and_without_an_object() -> None:
    async with account() as hubspot:
        contact, company = await hubspot.made("contacts", firstname="Max"), await hubspot.made("companies", name="A")
        await hubspot.person("PUT", f"/contacts/{contact}/primary-company", {"companyId": company})

        events = [event for event in await hubspot.told() if event["subscriptionType"].endswith("associationChange")]

        told = {(one["associationType"], one["isPrimaryAssociation"], one["associationRemoved"]) for one in events}
        assert told == {
            (way, primary, False) for way in ("CONTACT_TO_COMPANY", "COMPANY_TO_CONTACT") for primary in (True, False)
        }
        assert not [one for one in events if "objectId" in one]
        assert (events[0]["fromObjectId"], events[0]["toObjectId"]) == (int(contact), int(company))


async def test_an_erased_contact_is_told_twice_and_a_restored_one_once() -> None:
    async with account() as hubspot:
        one, two = [await hubspot.made("contacts", firstname=name) for name in "ab"]
        await hubspot.told()
        hubspot.receiver.deliveries.clear()
        await hubspot.person("POST", f"/contacts/{one}/privacy-delete")
        await hubspot.person("DELETE", f"/records/contacts/{two}")
        await hubspot.person("POST", f"/records/contacts/{two}/restore")

        assert kinds(await hubspot.told()) == {
            "contact.privacyDeletion": 1,
            "contact.deletion": 2,
            "contact.restore": 1,
        }


async def test_what_is_not_answered_well_is_sent_again_with_a_fresh_signature() -> None:
    async with account() as hubspot:
        hubspot.receiver.statuses = [500, 401, 302]
        await hubspot.made("companies", name="A")
        await hubspot.told()

        deliveries = hubspot.receiver.deliveries
        assert [one.events[0]["attemptNumber"] for one in deliveries] == [0, 1, 2, 3]
        assert len({one.events[0]["eventId"] for one in deliveries}) == 1
        assert len({one.headers["X-HubSpot-Signature-v3"] for one in deliveries}) == 4


async def test_after_ten_retries_an_event_is_given_up() -> None:
    async with account(webhook_retry_ms=0) as hubspot:
        hubspot.receiver.statuses = [503] * 20
        await hubspot.made("companies", name="A")
        await hubspot.told()

        counted = await hubspot.person("GET", "/webhooks")
        assert len(hubspot.receiver.deliveries) == 11
        assert (counted["failed"], counted["delivered"], counted["pending"]) == (1, 0, 0)


async def test_a_request_carries_at_most_a_hundred_events() -> None:
    async with account() as hubspot:
        contacts = [{"properties": {"firstname": f"n{number}"}} for number in range(120)]
        await hubspot.person("POST", "/import", {"contacts": contacts, "events": True})

        assert len(await hubspot.told()) == 240
        assert sorted(len(one.events) for one in hubspot.receiver.deliveries) == [40, 100, 100]


async def renamed(hubspot: Account, record_id: str, *names: str) -> list[str]:
    """Rename a company one by one; the names that arrive."""
    hubspot.receiver.deliveries.clear()
    for name in names:
        await hubspot.person("PATCH", f"/records/companies/{record_id}", {"properties": {"name": name}})
        await hubspot.told()
    return [event["propertyValue"] for event in hubspot.receiver.events]


async def test_deliveries_are_lost_doubled_and_held_back_on_demand() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="A")
        await hubspot.told()

        await hubspot.person("POST", "/webhooks", {"lose_next": 1, "duplicate_next": 0})
        assert await renamed(hubspot, record_id, "B", "C") == ["C"]
        await hubspot.person("POST", "/webhooks", {"duplicate_next": 1})
        assert await renamed(hubspot, record_id, "D", "E") == ["D", "D", "E"]
        await hubspot.person("POST", "/webhooks", {"unsubscribe": ["company.propertyChange:name"]})
        assert await renamed(hubspot, record_id, "F") == []
        assert (await hubspot.person("GET", "/webhooks"))["lost"] == 1


async def test_events_have_the_generic_form_and_the_documented_key_on_demand() -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/webhooks", {"generic": True, "event_type_key": True})
        await hubspot.made("companies", name="A")

        for event in await hubspot.told():
            assert event["objectTypeId"] == "0-2"
            assert event["eventType"].startswith("object.")
            assert "subscriptionType" not in event


async def test_the_test_button_speaks_of_a_record_that_does_not_exist() -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/webhooks/test")

        (event,) = await hubspot.told()
        assert (event["objectId"], event["eventId"], event["changeSource"]) == (123, 100, "CRM")
