"""HubSpot's signature and events: published vectors, every kind of event, and bodies that are none."""

from __future__ import annotations

import json

import pytest

from schemas.events import Happening
from schemas.records import ObjectType
from services.hubspot.webhook import (
    SIGNATURE,
    TIMESTAMP,
    BadSignature,
    Malformed,
    hints_of,
    read_events,
    signature_v3,
    verify,
)

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URL = "https://www.example.com/webhook_uri"
BODY = b"{'example_field':'example_value'}"
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ("1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ],
)
def test_the_published_vectors_verify(timestamp: str, expected: str) -> None:
    assert signature_v3(SECRET, "POST", URL, BODY, timestamp) == expected
    assert verify([(SIGNATURE, expected), (TIMESTAMP, timestamp)], BODY, [SECRET], URL, int(timestamp)) == expected


def signed(now_ms: int, body: bytes = BODY, secret: str = SECRET, url: str = URL) -> list[tuple[str, str]]:
    return [(SIGNATURE, signature_v3(secret, "POST", url, body, str(now_ms))), (TIMESTAMP, str(now_ms))]


@pytest.mark.parametrize("off_ms", [5 * MINUTE_MS - 1000, -5 * MINUTE_MS + 1000])
def test_a_request_within_five_minutes_is_accepted(off_ms: int) -> None:
    now_ms = 1_700_000_000_000
    assert verify(signed(now_ms), BODY, [SECRET], URL, now_ms + off_ms)


@pytest.mark.parametrize("off_ms", [5 * MINUTE_MS + 1000, -5 * MINUTE_MS - 1000])
def test_a_request_older_or_newer_than_five_minutes_is_refused(off_ms: int) -> None:
    now_ms = 1_700_000_000_000
    with pytest.raises(BadSignature):
        verify(signed(now_ms), BODY, [SECRET], URL, now_ms + off_ms)


def test_every_flipped_byte_is_noticed() -> None:
    now_ms = 1_700_000_000_000
    for place in range(len(BODY)):
        flipped = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(BadSignature):
            verify(signed(now_ms), flipped, [SECRET], URL, now_ms)


@pytest.mark.parametrize("timestamp", ["", "NaN", "-700000000000", "17000000000", "1e13", "17000000000000"])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        verify([(SIGNATURE, "x"), (TIMESTAMP, timestamp)], BODY, [SECRET], URL, 1_700_000_000_000)


def test_a_missing_or_doubled_header_is_refused() -> None:
    now_ms = 1_700_000_000_000
    headers = signed(now_ms)
    for wrong in (headers[:1], headers[1:], [*headers, headers[0]], [*headers, headers[1]], []):
        with pytest.raises(BadSignature):
            verify(wrong, BODY, [SECRET], URL, now_ms)


def test_an_older_signature_version_alone_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify([("X-HubSpot-Signature", "abc"), (TIMESTAMP, "1700000000000")], BODY, [SECRET], URL, 1_700_000_000_000)


def test_an_old_and_a_new_secret_are_accepted_while_they_are_rotated() -> None:
    now_ms = 1_700_000_000_000
    for secret in ("old", "new"):
        assert verify(signed(now_ms, secret=secret), BODY, ["old", "new"], URL, now_ms)
    with pytest.raises(BadSignature):
        verify(signed(now_ms, secret="old"), BODY, ["new"], URL, now_ms)


def test_exactly_twelve_escapes_of_the_url_are_decoded() -> None:
    escaped = "https://www.example.com/a%3Ab%2Fc%40d%20e"
    plain = "https://www.example.com/a:b/c@d%20e"
    assert signature_v3(SECRET, "POST", escaped, BODY, "1") == signature_v3(SECRET, "POST", plain, BODY, "1")


def event(**fields: object) -> bytes:
    return json.dumps([{"portalId": 4711, "appId": 99, "occurredAt": 1, **fields}]).encode()


def hinted(**fields: object) -> list[tuple[ObjectType, str, Happening]]:
    (parsed,) = read_events(event(**fields))
    hints, _ = hints_of(parsed, {4711: 1}, 99)
    return [(hint.object_type, hint.record_id, hint.happening) for hint in hints]


@pytest.mark.parametrize(
    ("kind", "happening"),
    [
        ("creation", Happening.CREATED),
        ("propertyChange", Happening.CHANGED),
        ("deletion", Happening.DELETED),
        ("restore", Happening.RESTORED),
    ],
)
def test_classic_generic_and_documented_forms_mean_the_same(kind: str, happening: Happening) -> None:
    expected = [(ObjectType.CONTACT, "7", happening)]
    assert hinted(subscriptionType=f"contact.{kind}", objectId=7) == expected
    assert hinted(eventType=f"contact.{kind}", objectId=7) == expected
    assert hinted(subscriptionType=f"object.{kind}", objectTypeId="0-1", objectId=7) == expected


def test_a_merge_points_at_the_survivor_and_at_all_that_went_into_it() -> None:
    found = hinted(subscriptionType="company.merge", primaryObjectId=1, mergedObjectIds=[2], newObjectId=3)
    assert [record_id for _, record_id, _ in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "fields",
    [
        {"associationType": "CONTACT_TO_COMPANY", "fromObjectId": 5, "toObjectId": 9},
        {"associationType": "COMPANY_TO_CONTACT", "fromObjectId": 9, "toObjectId": 5},
        {"fromObjectTypeId": "0-1", "toObjectTypeId": "0-2", "fromObjectId": 5, "toObjectId": 9},
    ],
)
def test_a_changed_relation_points_at_the_person(fields: dict[str, object]) -> None:
    assert hinted(subscriptionType="contact.associationChange", **fields) == [
        (ObjectType.CONTACT, "5", Happening.ASSOCIATED)
    ]


def test_only_our_own_app_is_an_echo() -> None:
    for source, own in (("99", True), ("2931120", False), ("userId:1", False)):
        (parsed,) = read_events(
            event(subscriptionType="contact.creation", objectId=1, changeSource="INTEGRATION", sourceId=source)
        )
        (hint,), _ = hints_of(parsed, {4711: 1}, 99)
        assert hint.own is own


def test_a_value_never_leaves_the_parser() -> None:
    body = event(subscriptionType="contact.propertyChange", objectId=1, propertyName="email", propertyValue="a@b.at")
    (parsed,) = read_events(body)
    (hint,), _ = hints_of(parsed, {4711: 1}, 99)
    assert "a@b.at" not in repr(hint)
    assert hint.fields == ("email",)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"subscriptionType": "deal.creation", "objectId": 1}, "unknown_type"),
        ({"subscriptionType": "conversation.creation", "objectId": 1}, "unknown_type"),
        ({"subscriptionType": "", "objectId": 1}, "unknown_type"),
        ({"subscriptionType": "contact.creation"}, "without_id"),
        ({"subscriptionType": "contact.creation", "objectId": 1, "portalId": 5}, "unknown_portal"),
        ({"subscriptionType": "contact.creation", "objectId": 123, "changeSource": "CRM", "changeFlag": "NEW"}, "test"),
    ],
)
def test_what_is_ignored_says_why(fields: dict[str, object], reason: str) -> None:
    (parsed,) = read_events(event(**fields))
    assert hints_of(parsed, {4711: 1}, 99) == ([], reason)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b'"x"', b"[1]", b"[[]]", b'[{"portalId":"x"}]', b"[{}]", b"\xff", b"[NaN]"]
)
def test_a_body_that_is_no_list_of_events_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_events(body)


def test_a_deeply_nested_body_is_malformed_and_does_no_harm() -> None:
    with pytest.raises(Malformed):
        read_events(b"[" * 100_000)
