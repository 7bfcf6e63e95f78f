"""Code and published schemas accept the same bodies, and a message has no place for a value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas.events import Cause, Happening, Hint, HintMessage, encode_message
from schemas.records import ObjectType, System
from services.falcana.webhook import Malformed as MalformedPointer
from services.falcana.webhook import Pointer, read_pointer
from services.hubspot.webhook import Event, Malformed, read_events

PAYLOADS = Path(__file__).parents[3] / "schemas" / "payloads"


def schema(name: str) -> Any:
    found = json.loads((PAYLOADS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def fits(name: str, body: bytes) -> bool:
    """Whether a body is what the schema says."""
    return jsonschema.Draft202012Validator(schema(name)).is_valid(json.loads(body))


def is_read(read: Callable[[bytes], object], body: bytes) -> bool:
    """Whether the code accepts a body."""
    try:
        read(body)
    except (Malformed, MalformedPointer):
        return False
    return True


def test_a_message_has_no_place_for_a_value() -> None:
    hint = Hint(connection_id=1, object_type=ObjectType.COMPANY, system=System.FALCANA, record_id="7", fields=("ort",))
    message = json.loads(encode_message(HintMessage(id="x", accepted_ms=1, hints=(hint,))))
    assert fits("hint-message", json.dumps(message).encode())

    message["hints"][0]["value"] = "canary@example.com"
    assert not fits("hint-message", json.dumps(message).encode())


@pytest.mark.parametrize(
    ("struct", "described"),
    [
        (HintMessage, schema("hint-message")["properties"]),
        (Event, schema("hubspot-delivery")["items"]["properties"]),
        (Pointer, schema("falcana-event")["properties"]),
    ],
)
def test_the_schemas_name_every_field_that_is_read_and_no_other(
    struct: type[msgspec.Struct], described: dict[str, Any]
) -> None:
    assert {field.encode_name for field in msgspec.structs.fields(struct)} == set(described)


def test_the_words_of_a_hint_are_those_of_the_code() -> None:
    described = schema("hint-message")["properties"]["hints"]["items"]["properties"]

    assert described["happening"]["enum"] == [one.value for one in Happening]
    assert described["cause"]["enum"] == [one.value for one in Cause]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"portalId":"1"}]',
        b'[{"portalId":1,"objectId":"7"}]',
        b'[{"portalId":1,"sourceId":99,"changeSource":null,"mergedObjectIds":null}]',
        b'[{"portalId":1,"somethingNew":{}}]',
    ],
)
def test_code_and_schema_agree_about_deliveries(body: bytes) -> None:
    assert fits("hubspot-delivery", body) == is_read(read_events, body)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"seq":1,"typ":"projekt","id":1,"art":"x"}',
        b'{"seq":1,"typ":"adresse","id":"1","art":"x"}',
        b'{"seq":1,"typ":"adresse","id":1,"art":"x","version":null,"ziel_id":null}',
    ],
)
def test_code_and_schema_agree_about_change_events(body: bytes) -> None:
    assert fits("falcana-event", body) == is_read(read_pointer, body)
