"""HubSpot's webhooks: is it really HubSpot, and which records does it point at? Pure: bytes in, hints out.

Only signature v3 counts: HMAC-SHA256 over method, the URL as HubSpot was told, the raw body and the timestamp
(HubSpot guide "Validating requests"). Values of properties never leave this module.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from schemas.events import Cause, Happening, Hint
from schemas.records import ObjectType, System

SIGNATURE = "X-HubSpot-Signature-v3"
TIMESTAMP = "X-HubSpot-Request-Timestamp"
DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip
TYPES = {
    "contact": ObjectType.CONTACT,
    "company": ObjectType.COMPANY,
    "0-1": ObjectType.CONTACT,
    "0-2": ObjectType.COMPANY,
}
HAPPENINGS = {
    "creation": Happening.CREATED,
    "propertyChange": Happening.CHANGED,
    "deletion": Happening.DELETED,
    "restore": Happening.RESTORED,
    "merge": Happening.MERGED,
    "associationChange": Happening.ASSOCIATED,
    "privacyDeletion": Happening.ERASED,
}
STRENGTH = (
    Happening.CHANGED,
    Happening.CREATED,
    Happening.ASSOCIATED,
    Happening.RESTORED,
    Happening.DELETED,
    Happening.MERGED,
    Happening.ERASED,
)
"""When several things happened to a record, the one that matters most stands for all."""


class BadSignature(Exception):
    """The request does not come from HubSpot, or comes too late. ``reason`` is for the metric, never for the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(Exception):
    """A signed body that is no list of events. ``reason`` says what is wrong, without any value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def signature_v3(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """The signature of a request. ``url`` is decoded for exactly the twelve escapes that HubSpot names."""
    for escape, char in DECODED.items():
        url = url.replace(escape, char)
    source = method.encode() + url.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()


def verify(
    headers: Sequence[tuple[str, str]], body: bytes, secrets: Sequence[str], url: str, now_ms: int, window_s: int = 300
) -> str:
    """Accept a POST to ``url`` or raise BadSignature. Any of several secrets may fit, so that they can be rotated.

    Returns the signature, by which a replay can be recognised.
    """
    given, timestamp = _only(headers, SIGNATURE), _only(headers, TIMESTAMP)
    if not re.fullmatch(r"[0-9]{13}", timestamp):
        raise BadSignature("timestamp")
    if abs(now_ms - int(timestamp)) > window_s * 1000:
        raise BadSignature("window")
    # A header may hold bytes that are no UTF-8; they reach us as surrogates and must not end in a fault.
    offered = given.encode(errors="surrogateescape")
    fits = [hmac.compare_digest(signature_v3(one, "POST", url, body, timestamp).encode(), offered) for one in secrets]
    if not any(fits):
        raise BadSignature("signature")
    return given


def _only(headers: Sequence[tuple[str, str]], name: str) -> str:
    values = [value for key, value in headers if key.lower() == name.lower()]
    if len(values) != 1:
        raise BadSignature("missing" if not values else "doubled")
    return values[0]


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event as HubSpot writes it. Every field but the portal may be missing or null; values are not read."""

    portal_id: int
    subscription_type: str | None = None
    event_type: str | None = None
    object_id: int | None = None
    object_type_id: str | None = None
    property_name: str | None = None
    occurred_at: int | None = None
    change_source: str | None = None
    change_flag: str | None = None
    source_id: str | int | None = None
    primary_object_id: int | None = None
    merged_object_ids: tuple[int, ...] | None = None
    new_object_id: int | None = None
    association_type: str | None = None
    from_object_id: int | None = None
    to_object_id: int | None = None
    from_object_type_id: str | None = None
    to_object_type_id: str | None = None

    @property
    def kind(self) -> str:
        """``contact.creation`` and so on; captures say subscriptionType, parts of the documents eventType."""
        return self.subscription_type or self.event_type or ""

    @property
    def label(self) -> str:
        """The kind for a metric: everything that we do not know is one word, so that no sender makes metrics grow."""
        prefix, _, suffix = self.kind.partition(".")
        return self.kind if (prefix == "object" or prefix in TYPES) and suffix in HAPPENINGS else "unknown"


_decoder = msgspec.json.Decoder(tuple[Event, ...])


def read_events(body: bytes) -> tuple[Event, ...]:
    """The events of a request. Raises Malformed, also where parsers could read two different things (S35)."""
    try:
        events = _decoder.decode(body)
        json.loads(body, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except msgspec.ValidationError as error:
        raise Malformed(f"wrong shape: {_without_values(str(error))}") from None
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    return events


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("doubled key")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise Malformed("not a number")


def _without_values(text: str) -> str:
    return text.split(" - ")[0].replace("$", "body")


def hints_of(event: Event, portals: Mapping[int, int], app_id: int) -> tuple[list[Hint], str]:
    """The hints of one event, and what became of it.

    ``hinted``, or why there are none: ``unknown_portal``, ``unknown_type``, ``without_id`` or ``test``.
    """
    connection_id = portals.get(event.portal_id)
    if connection_id is None:
        return [], "unknown_portal"
    prefix, _, suffix = event.kind.partition(".")
    happening = HAPPENINGS.get(suffix)
    if happening is None:
        return [], "unknown_type"
    if event.change_source == "CRM" and event.change_flag == "NEW" and event.object_id == 123:
        return [], "test"  # the button in the settings of the app
    if happening is Happening.ASSOCIATED:
        return _associated(event, connection_id, app_id)
    object_type = TYPES.get(event.object_type_id or "" if prefix == "object" else prefix)
    if object_type is None:
        return [], "unknown_type"
    if happening is Happening.MERGED:
        return _merged(event, connection_id, object_type, app_id)
    if event.object_id is None:
        return [], "without_id"
    return [_hint(event, connection_id, object_type, str(event.object_id), happening, app_id)], "hinted"


def coalesce(hints: Iterable[Hint]) -> list[Hint]:
    """One hint per record: fields united, the newest time, the strongest happening, own only when all of them were.

    One person who creates a contact sends a handful of events about it, in any order.
    """
    united: dict[tuple[int, ObjectType, str], Hint] = {}
    for hint in hints:
        key = (hint.connection_id, hint.object_type, hint.record_id)
        united[key] = _unite(united[key], hint) if key in united else hint
    return list(united.values())


def _unite(one: Hint, other: Hint) -> Hint:
    merge = one if one.survivor_id else other
    return msgspec.structs.replace(
        max(one, other, key=lambda hint: STRENGTH.index(hint.happening)),
        fields=tuple(dict.fromkeys((*one.fields, *other.fields))),
        occurred_ms=max(one.occurred_ms, other.occurred_ms),
        own=bool(one.own and other.own),
        survivor_id=merge.survivor_id,
        absorbed_ids=merge.absorbed_ids,
    )


def _hint(
    event: Event, connection_id: int, object_type: ObjectType, record_id: str, happening: Happening, app_id: int
) -> Hint:
    return Hint(
        connection_id=connection_id,
        object_type=object_type,
        system=System.HUBSPOT,
        record_id=record_id,
        happening=happening,
        cause=Cause.WEBHOOK,
        fields=(event.property_name,) if event.property_name else (),
        occurred_ms=event.occurred_at or 0,
        own=event.change_source == "INTEGRATION" and str(event.source_id) == str(app_id),
    )


def _associated(event: Event, connection_id: int, app_id: int) -> tuple[list[Hint], str]:
    """A changed relation points at the person, from whichever side it was told."""
    ends = {event.from_object_type_id, event.to_object_type_id} == {"0-1", "0-2"}
    if event.association_type == "CONTACT_TO_COMPANY" or (ends and event.from_object_type_id == "0-1"):
        person = event.from_object_id
    elif event.association_type == "COMPANY_TO_CONTACT" or ends:
        person = event.to_object_id
    else:
        return [], "unknown_type"
    if person is None:
        return [], "without_id"
    return [_hint(event, connection_id, ObjectType.CONTACT, str(person), Happening.ASSOCIATED, app_id)], "hinted"


def _merged(event: Event, connection_id: int, object_type: ObjectType, app_id: int) -> tuple[list[Hint], str]:
    """A merge points at the survivor and at every record that went into it; the winner stands first among them."""
    survivor = event.new_object_id or event.primary_object_id
    if survivor is None:
        return [], "without_id"
    winner = [event.primary_object_id] if event.primary_object_id else []
    others = dict.fromkeys((*winner, *(event.merged_object_ids or ())))
    absorbed = tuple(str(one) for one in others if one != survivor)
    hints = [
        msgspec.structs.replace(
            _hint(event, connection_id, object_type, record_id, Happening.MERGED, app_id),
            survivor_id=str(survivor),
            absorbed_ids=absorbed,
        )
        for record_id in dict.fromkeys((*absorbed, str(survivor)))
    ]
    return hints, "hinted"
