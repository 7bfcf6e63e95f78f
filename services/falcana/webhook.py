"""falcana's change events: is it really falcana, and which record does it point at? Pure: bytes in, a hint out."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import msgspec

from schemas.events import Cause, Happening, Hint
from schemas.records import ObjectType, System

SIGNATURE = "X-Falcana-Signatur"
TIMESTAMP = "X-Falcana-Zeitstempel"
TYPES = {"adresse": ObjectType.COMPANY, "ansprechpartner": ObjectType.CONTACT}
HAPPENINGS = {
    "angelegt": Happening.CREATED,
    "geaendert": Happening.CHANGED,
    "geloescht": Happening.DELETED,
    "wiederhergestellt": Happening.RESTORED,
    "zusammengefuehrt": Happening.MERGED,
}


class BadSignature(Exception):
    """The request does not come from falcana, or comes too late. ``reason`` is for the metric only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(Exception):
    """A signed body that is no change event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``v1=`` and the hex HMAC-SHA256 of timestamp, a dot and the raw body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"v1={digest}"


def verify(
    headers: Sequence[tuple[str, str]], body: bytes, secrets: Sequence[str], now_ms: int, window_s: int = 300
) -> str:
    """Accept a request or raise BadSignature. Returns the signature, by which a replay can be recognised."""
    given, timestamp = _only(headers, SIGNATURE), _only(headers, TIMESTAMP)
    if not re.fullmatch(r"[0-9]{10}", timestamp):
        raise BadSignature("timestamp")
    if abs(now_ms - int(timestamp) * 1000) > window_s * 1000:
        raise BadSignature("window")
    # A header may hold bytes that are no UTF-8; they reach us as surrogates and must not end in a fault.
    offered = given.encode(errors="surrogateescape")
    fits = [hmac.compare_digest(signature(one, timestamp, body).encode(), offered) for one in secrets]
    if not any(fits):
        raise BadSignature("signature")
    return given


def _only(headers: Sequence[tuple[str, str]], name: str) -> str:
    values = [value for key, value in headers if key.lower() == name.lower()]
    if len(values) != 1:
        raise BadSignature("missing" if not values else "doubled")
    return values[0]


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """A change event: it points at a record and says nothing about it."""

    seq: int
    typ: Literal["adresse", "ansprechpartner", "individualfeld"]
    id: int
    art: str
    version: int | None = None
    ziel_id: int | None = None


_decoder = msgspec.json.Decoder(Pointer)


def read_pointer(body: bytes) -> Pointer:
    """The event of a request. Raises Malformed, also where parsers could read two different things (S35)."""
    try:
        pointer = _decoder.decode(body)
        json.loads(body, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except msgspec.ValidationError as error:
        raise Malformed(f"wrong shape: {str(error).split(' - ')[0]}") from None
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    return pointer


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("doubled key")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise Malformed("not a number")


def hint_of(pointer: Pointer, connection_id: int, now_ms: int) -> Hint | None:
    """The hint of an event; None for what the sync has no use for. The time of receipt stands for that of the edit."""
    object_type, happening = TYPES.get(pointer.typ), HAPPENINGS.get(pointer.art)
    if object_type is None or happening is None:
        return None
    return Hint(
        connection_id=connection_id,
        object_type=object_type,
        system=System.FALCANA,
        record_id=str(pointer.id),
        happening=happening,
        cause=Cause.WEBHOOK,
        occurred_ms=now_ms,
        version=pointer.version or 0,
        survivor_id=str(pointer.ziel_id or ""),
    )
