"""falcana's signature and change events: what is accepted, what it points at, and bodies that are none."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from schemas.events import Cause, Happening, Hint
from schemas.records import ObjectType, System
from services.falcana.webhook import (
    SIGNATURE,
    TIMESTAMP,
    BadSignature,
    Malformed,
    hint_of,
    read_pointer,
    signature,
    verify,
)

SECRET = "geheim"
NOW_S = 1_700_000_000
BODY = b'{"seq":812345,"typ":"adresse","id":10482,"art":"geaendert","version":12}'


def signed(at_s: int = NOW_S, body: bytes = BODY, secret: str = SECRET) -> list[tuple[str, str]]:
    return [(SIGNATURE, signature(secret, str(at_s), body)), (TIMESTAMP, str(at_s))]


def test_the_signature_is_what_the_contract_says() -> None:
    digest = hmac.new(b"geheim", b"1700000000." + BODY, hashlib.sha256).hexdigest()

    assert signature(SECRET, "1700000000", BODY) == f"v1={digest}"
    assert verify([("x-falcana-signatur", f"v1={digest}"), signed()[1]], BODY, [SECRET], NOW_S * 1000) == f"v1={digest}"


@pytest.mark.parametrize("off_s", [299, -299, 300, -300])
def test_an_event_within_five_minutes_is_accepted(off_s: int) -> None:
    assert verify(signed(), BODY, [SECRET], (NOW_S + off_s) * 1000)


@pytest.mark.parametrize("off_s", [301, -301])
def test_an_event_older_or_newer_than_five_minutes_is_refused(off_s: int) -> None:
    with pytest.raises(BadSignature):
        verify(signed(), BODY, [SECRET], (NOW_S + off_s) * 1000)


def test_every_flipped_byte_is_noticed() -> None:
    for place in range(len(BODY)):
        flipped = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        with pytest.raises(BadSignature):
            verify(signed(), flipped, [SECRET], NOW_S * 1000)


@pytest.mark.parametrize("timestamp", ["", "NaN", "-700000000", "1700000000000", "1e9", "١٧٠٠٠٠٠٠٠٠", "1700000000\n"])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        verify([(SIGNATURE, signature(SECRET, timestamp, BODY)), (TIMESTAMP, timestamp)], BODY, [SECRET], NOW_S * 1000)


@pytest.mark.parametrize("given", ["", "v1=", "v2=00", "ä", "\udcff"])
def test_a_signature_of_any_bytes_is_refused_and_does_no_harm(given: str) -> None:
    with pytest.raises(BadSignature):
        verify([(SIGNATURE, given), (TIMESTAMP, str(NOW_S))], BODY, [SECRET], NOW_S * 1000)


def test_a_missing_or_doubled_header_is_refused() -> None:
    headers = signed()
    for wrong in (headers[:1], headers[1:], [*headers, headers[0]], [*headers, headers[1]], []):
        with pytest.raises(BadSignature):
            verify(wrong, BODY, [SECRET], NOW_S * 1000)


def test_an_old_and_a_new_secret_are_accepted_while_they_are_rotated() -> None:
    for secret in ("alt", "neu"):
        assert verify(signed(secret=secret), BODY, ["alt", "neu"], NOW_S * 1000)
    for accepted in (["neu"], []):
        with pytest.raises(BadSignature):
            verify(signed(secret="alt"), BODY, accepted, NOW_S * 1000)


def hinted(body: bytes) -> Hint | None:
    return hint_of(read_pointer(body), 3, NOW_S * 1000)


def test_an_event_points_at_its_record() -> None:
    assert hinted(BODY) == Hint(
        connection_id=3,
        object_type=ObjectType.COMPANY,
        system=System.FALCANA,
        record_id="10482",
        happening=Happening.CHANGED,
        cause=Cause.WEBHOOK,
        occurred_ms=NOW_S * 1000,
        version=12,
    )


@pytest.mark.parametrize(
    ("art", "happening"),
    [
        ("angelegt", Happening.CREATED),
        ("geaendert", Happening.CHANGED),
        ("geloescht", Happening.DELETED),
        ("wiederhergestellt", Happening.RESTORED),
        ("zusammengefuehrt", Happening.MERGED),
    ],
)
def test_every_kind_of_event_is_understood(art: str, happening: Happening) -> None:
    hint = hinted(f'{{"seq":1,"typ":"ansprechpartner","id":7,"art":"{art}"}}'.encode())

    assert hint is not None
    assert (hint.object_type, hint.happening, hint.version) == (ObjectType.CONTACT, happening, 0)


@pytest.mark.parametrize(("target", "survivor"), [(b'"ziel_id":9', "9"), (b'"ziel_id":null', ""), (b'"version":1', "")])
def test_a_merge_names_the_record_that_lives_on_where_falcana_tells_it(target: bytes, survivor: str) -> None:
    hint = hinted(b'{"seq":1,"typ":"adresse","id":7,"art":"zusammengefuehrt",' + target + b"}")

    assert hint is not None
    assert hint.survivor_id == survivor


@pytest.mark.parametrize(("typ", "art"), [("individualfeld", "geaendert"), ("adresse", "gedruckt")])
def test_what_the_sync_has_no_use_for_gives_no_hint(typ: str, art: str) -> None:
    assert hinted(f'{{"seq":1,"typ":"{typ}","id":7,"art":"{art}"}}'.encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"seq":"x"}',
        b'{"seq":1,"typ":"adresse","id":null,"art":"geaendert"}',
        b'{"seq":1,"typ":"adresse","id":1,"id":2,"art":"geaendert"}',
        b'{"seq":1,"typ":"adresse","id":1,"art":"geaendert","x":NaN}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_pointer(body)


def test_the_reason_of_a_malformed_body_holds_no_value() -> None:
    with pytest.raises(Malformed) as caught:
        read_pointer(b'{"seq":1,"typ":"adresse","id":"canary@example.com","art":"geaendert"}')

    assert "canary" not in caught.value.reason
