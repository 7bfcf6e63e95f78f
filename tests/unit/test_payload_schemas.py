"""The JSON Schemas say what the code reads and writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Hint, HintMessage, decode_message, encode_message
from services.falcana.webhook import read_pointer
from services.hubspot.webhook import read_events

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "tests" / "recordings" / "hubspot").glob("*.json"))
POINTER = b'{"seq":812345,"typ":"adresse","id":10482,"art":"geaendert","version":12}'


def schema(name: str) -> Any:
    """One of our schemas."""
    return json.loads((ROOT / "schemas" / "payloads" / f"{name}.schema.json").read_text())


@given(st.from_type(HintMessage))
def test_every_message_we_send_fits_its_schema_and_comes_back_as_it_was(message: HintMessage) -> None:
    positive = all(hint.connection_id > 0 and hint.record_id for hint in message.hints)
    body = encode_message(message)
    assert decode_message(body) == message
    numbers = [message.accepted_ms, *(n for h in message.hints for n in (h.occurred_ms, h.version, h.run_id))]
    if positive and min(numbers) >= 0:
        jsonschema.validate(json.loads(body), schema("hint-message"))


def test_the_schema_knows_every_field_of_a_hint() -> None:
    known = schema("hint-message")["properties"]["hints"]["items"]["properties"]
    assert set(known) == set(Hint.__struct_fields__)


@pytest.mark.parametrize("body", [b'{"version":2,"id":"x","accepted_ms":1,"hints":[]}', b"{}", b"[]", b'{"id":1}'])
def test_a_message_of_another_version_or_shape_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_message(body)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_captured_deliveries_fit_the_schema_and_the_parser(path: Path) -> None:
    body = path.read_bytes().replace(b"@ID@", b"7").replace(b"@ID2@", b"8")
    jsonschema.validate(json.loads(body), schema("hubspot-delivery"))
    assert read_events(body)


def test_a_change_event_fits_the_schema_and_the_parser() -> None:
    jsonschema.validate(json.loads(POINTER), schema("falcana-event"))
    assert read_pointer(POINTER).id == 10482
