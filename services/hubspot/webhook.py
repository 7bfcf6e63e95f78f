"""HubSpot's webhooks: is it really HubSpot, and which records does it point at? Pure: bytes in, hints out.

Only signature v3 counts: HMAC-SHA256 over method, the URL as HubSpot was told, the raw body and the timestamp
(HubSpot guide "Validating requests"). Values of properties never leave this module.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

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
ASSOCIATIONS = {"CONTACT_TO_COMPANY": "fromObjectId", "COMPANY_TO_CONTACT": "toObjectId"}


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
    if not re.fullmatch(r"\d{13}", timestamp):
        raise BadSignature("timestamp")
    if abs(now_ms - int(timestamp)) > window_s * 1000:
        raise BadSignature("window")
    fits = [
        hmac.compare_digest(signature_v3(one, "POST", url, body, timestamp).encode(), given.encode()) for one in secrets
    ]
    if not any(fits):
        raise BadSignature("signature")
    return given


def _only(headers: Sequence[tuple[str, str]], name: str) -> str:
    values = [value for key, value in headers if key.lower() == name.lower()]
    if len(values) != 1:
        raise BadSignature("missing" if not values else "doubled")
    return values[0]


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One event as HubSpot writes it. Every field is optional there; values are not read."""

    portal_id: int
    subscription_type: str = ""
    event_type: str = ""
    object_id: int | None = None
    object_type_id: str = ""
    property_name: str = ""
    occurred_at: int = 0
    change_source: str = ""
    change_flag: str = ""
    source_id: str = ""
    primary_object_id: int | None = None
    merged_object_ids: tuple[int, ...] = ()
    new_object_id: int | None = None
    association_type: str = ""
    from_object_id: int | None = None
    to_object_id: int | None = None
    from_object_type_id: str = ""
    to_object_type_id: str = ""

    @property
    def kind(self) -> str:
        """``contact.creation`` and so on; captures say subscriptionType, parts of the documents eventType."""
        return self.subscription_type or self.event_type


_decoder = msgspec.json.Decoder(tuple[Event, ...])


def read_events(body: bytes) -> tuple[Event, ...]:
    """The events of a request. Raises Malformed."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Malformed(f"wrong shape: {_without_values(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("not JSON") from None


def _without_values(text: str) -> str:
    return text.split(" - ")[0].replace("$", "body")


def hints_of(event: Event, portals: Mapping[int, int], app_id: int) -> tuple[list[Hint], str]:
    """The hints of one event, and why there are none: ``hinted``, ``unknown_portal``, ``unknown_type`` or ``test``."""
    connection_id = portals.get(event.portal_id)
    if connection_id is None:
        return [], "unknown_portal"
    prefix, _, suffix = event.kind.partition(".")
    happening = HAPPENINGS.get(suffix)
    if happening is None:
        return [], "unknown_type"
    if event.change_source == "CRM" and event.change_flag == "NEW" and event.object_id == 123:
        return [], "test"
    if happening is Happening.ASSOCIATED:
        return _associated(event, connection_id, app_id)
    object_type = TYPES.get(event.object_type_id if prefix == "object" else prefix)
    if object_type is None:
        return [], "unknown_type"
    if happening is Happening.MERGED:
        return _merged(event, connection_id, object_type, app_id)
    if event.object_id is None:
        return [], "without_id"
    return [_hint(event, connection_id, object_type, str(event.object_id), happening, app_id)], "hinted"


def _hint(
    event: Event, connection_id: int, object_type: ObjectType, record_id: str, happening: Happening, app_id: int
) -> Hint:
    own = event.change_source == "INTEGRATION" and event.source_id == str(app_id)
    return Hint(
        connection_id=connection_id,
        object_type=object_type,
        system=System.HUBSPOT,
        record_id=record_id,
        happening=happening,
        cause=Cause.WEBHOOK,
        fields=(event.property_name,) if event.property_name else (),
        occurred_ms=event.occurred_at,
        own=own,
    )


def _associated(event: Event, connection_id: int, app_id: int) -> tuple[list[Hint], str]:
    """A changed relation points at the person, from whichever side it was told."""
    side = ASSOCIATIONS.get(event.association_type)
    person: int | None = (
        getattr(event, {"fromObjectId": "from_object_id", "toObjectId": "to_object_id"}[side]) if side else None
    )
    if person is None and {event.from_object_type_id, event.to_object_type_id} == {"0-1", "0-2"}:
        person = event.from_object_id if event.from_object_type_id == "0-1" else event.to_object_id
    if person is None:
        return [], "unknown_type"
    return [_hint(event, connection_id, ObjectType.CONTACT, str(person), Happening.ASSOCIATED, app_id)], "hinted"


def _merged(event: Event, connection_id: int, object_type: ObjectType, app_id: int) -> tuple[list[Hint], str]:
    """A merge points at the survivor and at every record that went into it; the winner stands first among them."""
    survivor = event.new_object_id or event.primary_object_id
    if survivor is None:
        return [], "without_id"
    winner = [event.primary_object_id] if event.primary_object_id else []
    absorbed = tuple(str(one) for one in dict.fromkeys((*winner, *event.merged_object_ids)) if one != survivor)
    hints = [
        msgspec.structs.replace(
            _hint(event, connection_id, object_type, record_id, Happening.MERGED, app_id),
            survivor_id=str(survivor),
            absorbed_ids=absorbed,
        )
        for record_id in dict.fromkeys((*absorbed, str(survivor)))
    ]
    return hints, "hinted"
