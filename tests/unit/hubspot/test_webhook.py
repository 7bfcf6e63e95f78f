"""HubSpot's signature and events: published vectors, every kind of event, and bodies that are none."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from schemas.events import Happening, Hint
from schemas.records import ObjectType
from services.hubspot.webhook import (
    SIGNATURE,
    TIMESTAMP,
    BadSignature,
    Malformed,
    coalesce,
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


@pytest.mark.parametrize(
    "timestamp",
    ["", "NaN", "-700000000000", "17000000000", "1e13", "17000000000000", "١٧٠٠٠٠٠٠٠٠٠٠٠", "1700000000000\n"],
)
def test_a_timestamp_that_is_none_is_refused_even_if_it_is_signed(timestamp: str) -> None:
    headers = [(SIGNATURE, signature_v3(SECRET, "POST", URL, BODY, timestamp)), (TIMESTAMP, timestamp)]
    with pytest.raises(BadSignature):
        verify(headers, BODY, [SECRET], URL, 1_700_000_000_000)


def test_a_missing_or_doubled_header_is_refused() -> None:
    now_ms = 1_700_000_000_000
    headers = signed(now_ms)
    for wrong in (headers[:1], headers[1:], [*headers, headers[0]], [*headers, headers[1]], []):
        with pytest.raises(BadSignature):
            verify(wrong, BODY, [SECRET], URL, now_ms)


OLDER_VECTORS = {
    "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de": (
        b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
        b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
        b'"changeFlag":"NEW","appId":54321}]'
    ),
    "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750": BODY,
    "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e": b"",
    "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900": b'{"example_field":"example_value"}',
    "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383": BODY,
}
"""Valid signatures of the versions 1 and 2, as published."""


@pytest.mark.parametrize("header", ["X-HubSpot-Signature", SIGNATURE])
@pytest.mark.parametrize("digest", OLDER_VECTORS)
def test_a_valid_signature_of_an_older_version_is_refused(header: str, digest: str) -> None:
    now_ms = 1_700_000_000_000
    headers = [(header, digest), ("X-HubSpot-Signature-Version", "v1"), (TIMESTAMP, str(now_ms))]
    with pytest.raises(BadSignature):
        verify(headers, OLDER_VECTORS[digest], [SECRET], URL, now_ms)


@pytest.mark.parametrize("given", ["", "ä", "\udcff", "=" * 10_000])
def test_a_signature_of_any_bytes_is_refused_and_does_no_harm(given: str) -> None:
    now_ms = 1_700_000_000_000
    with pytest.raises(BadSignature):
        verify([(SIGNATURE, given), (TIMESTAMP, str(now_ms))], BODY, [SECRET], URL, now_ms)


def test_an_old_and_a_new_secret_are_accepted_while_they_are_rotated() -> None:
    now_ms = 1_700_000_000_000
    for secret in ("old", "new"):
        assert verify(signed(now_ms, secret=secret), BODY, ["old", "new"], URL, now_ms)
    with pytest.raises(BadSignature):
        verify(signed(now_ms, secret="old"), BODY, ["new"], URL, now_ms)


def test_exactly_twelve_escapes_of_the_url_are_decoded() -> None:
    escaped = "https://www.example.com/%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B%20%23%25"
    plain = "https://www.example.com/:/?@!$'()*,;%20%23%25"
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
        ("privacyDeletion", Happening.ERASED),
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


def test_a_merge_names_the_survivor_and_puts_the_winner_first_among_the_absorbed() -> None:
    (parsed,) = read_events(
        event(subscriptionType="company.merge", objectId=3, primaryObjectId=1, mergedObjectIds=[2], newObjectId=3)
    )
    hints, _ = hints_of(parsed, {4711: 1}, 99)
    assert {(hint.survivor_id, hint.absorbed_ids) for hint in hints} == {("3", ("1", "2"))}


def test_a_merge_into_the_winner_itself_does_not_absorb_the_winner() -> None:
    (parsed,) = read_events(event(subscriptionType="contact.merge", primaryObjectId=1, mergedObjectIds=[2]))
    hints, _ = hints_of(parsed, {4711: 1}, 99)
    assert [(hint.record_id, hint.survivor_id, hint.absorbed_ids) for hint in hints] == [
        ("2", "1", ("2",)),
        ("1", "1", ("2",)),
    ]


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
        ({"subscriptionType": "contact.merge"}, "without_id"),
        ({"subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_CONTACT"}, "unknown_type"),
        ({"subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_COMPANY"}, "without_id"),
        ({"subscriptionType": "contact.creation", "objectId": 1, "portalId": 5}, "unknown_portal"),
        ({"subscriptionType": "contact.creation", "objectId": 123, "changeSource": "CRM", "changeFlag": "NEW"}, "test"),
    ],
)
def test_what_is_ignored_says_why(fields: dict[str, object], reason: str) -> None:
    (parsed,) = read_events(event(**fields))
    assert hints_of(parsed, {4711: 1}, 99) == ([], reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b'"x"',
        b"[1]",
        b"[[]]",
        b'[{"portalId":"x"}]',
        b"[{}]",
        b"\xff",
        b"[NaN]",
        b'[{"portalId":1,"portalId":2}]',
        b'[{"portalId":1,"x":NaN}]',
        b'[{"portalId":1,"x":{"y":1,"y":1}}]',
        b'[{"portalId":1}',
    ],
)
def test_a_body_that_is_no_list_of_events_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_events(body)


def test_a_deeply_nested_body_is_malformed_and_does_no_harm() -> None:
    with pytest.raises(Malformed):
        read_events(b"[" * 100_000)


def test_the_reason_of_a_malformed_body_holds_no_value() -> None:
    with pytest.raises(Malformed) as caught:
        read_events(b'[{"portalId":"canary@example.com"}]')
    assert "canary" not in caught.value.reason


def test_fields_that_are_null_or_unknown_do_not_spoil_a_delivery() -> None:
    nothing = dict.fromkeys(("changeSource", "sourceId", "propertyName", "occurredAt", "mergedObjectIds", "eventType"))
    expected = [(ObjectType.CONTACT, "7", Happening.CREATED)]
    assert hinted(subscriptionType="contact.creation", objectId=7, somethingNew={"a": [1]}, **nothing) == expected


def test_an_id_keeps_all_of_its_sixty_four_bits() -> None:
    assert hinted(subscriptionType="contact.creation", objectId=9_007_199_254_740_993)[0][1] == "9007199254740993"


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("contact.creation", "contact.creation"),
        ("object.merge", "object.merge"),
        ("made-up.creation", "unknown"),
        ("contact.made-up", "unknown"),
        ("0123456789abcdef", "unknown"),
    ],
)
def test_a_sender_cannot_make_metrics_grow(kind: str, label: str) -> None:
    (parsed,) = read_events(event(subscriptionType=kind))
    assert parsed.label == label


def of_one_record(*events: dict[str, object]) -> Hint:
    """The one hint of several events about contact 7."""
    rows = [{"portalId": 4711, "objectId": 7, "occurredAt": 1, **one} for one in events]
    found = [hint for one in read_events(json.dumps(rows).encode()) for hint in hints_of(one, {4711: 1}, 99)[0]]
    (hint,) = coalesce(found)
    return hint


OURS = {"changeSource": "INTEGRATION", "sourceId": "99"}


def test_events_of_one_record_become_one_hint() -> None:
    hint = of_one_record(
        {"subscriptionType": "contact.propertyChange", "propertyName": "email", "occurredAt": 5},
        {"subscriptionType": "contact.creation", "occurredAt": 3},
        {"subscriptionType": "contact.propertyChange", "propertyName": "phone"},
        {"subscriptionType": "contact.propertyChange", "propertyName": "email"},
    )
    assert (hint.happening, hint.fields, hint.occurred_ms) == (Happening.CREATED, ("email", "phone"), 5)


@pytest.mark.parametrize(("first", "second", "own"), [(OURS, OURS, True), (OURS, {}, False), ({}, OURS, False)])
def test_a_record_is_an_echo_only_when_every_event_of_it_is(
    first: dict[str, object], second: dict[str, object], own: bool
) -> None:
    change: dict[str, object] = {"subscriptionType": "contact.propertyChange", "propertyName": "email"}
    assert of_one_record(change | first, change | second).own is own


def test_the_strongest_happening_stands_for_all_in_any_order() -> None:
    events: list[dict[str, object]] = [
        {"subscriptionType": "contact.deletion"},
        {"subscriptionType": "contact.privacyDeletion"},
        {"subscriptionType": "contact.associationChange", "associationType": "CONTACT_TO_COMPANY", "fromObjectId": 7},
    ]
    for order in (events, events[::-1], events[1:] + events[:1]):
        assert of_one_record(*order).happening is Happening.ERASED


def test_a_merge_keeps_its_family_when_other_events_join_it() -> None:
    rows = [
        {"portalId": 1, "subscriptionType": "contact.propertyChange", "objectId": 3, "propertyName": "email"},
        {
            "portalId": 1,
            "subscriptionType": "contact.merge",
            "primaryObjectId": 1,
            "mergedObjectIds": [2],
            "newObjectId": 3,
        },
        {"portalId": 1, "subscriptionType": "contact.deletion", "objectId": 2},
    ]
    for order in (rows, rows[::-1]):
        found = [hint for one in read_events(json.dumps(order).encode()) for hint in hints_of(one, {1: 1}, 99)[0]]
        hints = {hint.record_id: hint for hint in coalesce(found)}
        assert sorted(hints) == ["1", "2", "3"]
        assert {(one.happening, one.survivor_id, one.absorbed_ids) for one in hints.values()} == {
            (Happening.MERGED, "3", ("1", "2"))
        }


def test_an_erasure_does_not_make_a_merge_forget_its_family() -> None:
    merge: dict[str, object] = {"subscriptionType": "contact.merge", "primaryObjectId": 7, "newObjectId": 8}
    rows = [{"portalId": 1, **merge}, {"portalId": 1, "subscriptionType": "contact.privacyDeletion", "objectId": 7}]
    for order in (rows, rows[::-1]):
        found = [hint for one in read_events(json.dumps(order).encode()) for hint in hints_of(one, {1: 1}, 99)[0]]
        (hint,) = (one for one in coalesce(found) if one.record_id == "7")
        assert (hint.happening, hint.survivor_id, hint.absorbed_ids) == (Happening.ERASED, "8", ("7",))


def test_records_of_two_portals_with_one_id_stay_apart() -> None:
    rows = [{"portalId": portal, "subscriptionType": "contact.creation", "objectId": 7} for portal in (1, 2)]
    portals = {1: 10, 2: 20}
    found = [hint for one in read_events(json.dumps(rows).encode()) for hint in hints_of(one, portals, 99)[0]]
    assert sorted(hint.connection_id for hint in coalesce(found)) == [10, 20]


def test_a_captured_creation_is_one_hint_in_whatever_order_its_events_come() -> None:
    path = Path(__file__).parents[2] / "recordings" / "hubspot" / "creation_burst.json"
    rows = json.loads(path.read_bytes().replace(b"@ID@", b"7"))
    for seed in range(20):
        random.Random(seed).shuffle(rows)
        hint = of_one_record(*rows)
        assert (hint.happening, hint.own, len(hint.fields)) == (Happening.CREATED, False, 7)
