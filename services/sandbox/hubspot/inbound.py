"""What a request says: type, body, inputs, names. Everything unreadable is HubSpot's 400, never a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Row, fault, invalid
from services.sandbox.hubspot.records import KINDS

MOST_INPUTS = 100
MOST_WITH_HISTORY = 50


def kind_named(name: str) -> str:
    """The object type behind a path segment. Raises 400."""
    if name not in KINDS:
        raise fault(400, f"Unable to infer object type from: {name}")
    return KINDS[name]


def kind_of(request: web.Request) -> str:
    """The object type of the path. Raises 400."""
    return kind_named(request.match_info["type"])


async def body_of(request: web.Request) -> Row:
    """The JSON object that was sent. Raises 400."""
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise invalid(f"Invalid input JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid("Invalid input JSON: an object is expected")
    return body


def inputs_of(body: Mapping[str, Any], most: int = MOST_INPUTS, needs: Sequence[str] = ()) -> list[Row]:
    """The inputs of a batch. Raises 400 when there are too many or when a part is missing."""
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise invalid("Invalid input JSON: inputs is missing")
    if len(inputs) > most:
        raise invalid(f"The maximum number of inputs supported in a batch request for object_type is {most}")
    for one in inputs:
        if not isinstance(one, dict) or any(name not in one for name in needs):
            raise invalid(f"Invalid input JSON: every input needs {', '.join(needs)}")
    return inputs


def refuse_duplicates(inputs: Sequence[Row]) -> None:
    """Raise 400 when an id stands twice in a batch."""
    ids = [str(one["id"]) for one in inputs]
    doubled = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) < len(ids) else []
    if doubled:
        text = f"Duplicate IDs found in batch input: [{', '.join(doubled)}]. IDs must be unique"
        raise invalid(text, context={"ids": doubled})


def number_of(request: web.Request, name: str, default: int) -> int:
    """A number of the query. Raises 400."""
    text = request.query.get(name) or str(default)
    if not text.isdigit():
        raise invalid(f"Invalid value for {name}: {text}")
    return int(text)


def names_of(request: web.Request, name: str = "properties") -> list[str]:
    """A list of the query, separated by commas or repeated."""
    return [one.strip() for text in request.query.getall(name, []) for one in text.split(",") if one.strip()]


def wants_archived(request: web.Request) -> bool:
    """Whether archived records are asked for."""
    return request.query.get("archived", "").lower() == "true"
