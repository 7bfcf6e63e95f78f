"""HubSpot's answers: records, batches and errors in their documented shapes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from services.sandbox.hubspot.portal import Portal, Record

DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
}


class Fault(Exception):
    """An error answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("message", ""))
        self.status = status
        self.body = body


def fault(status: int, message: str, category: str = "", **more: Any) -> Fault:
    """An error in HubSpot's usual shape."""
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": str(uuid4())}
    if category:
        body["category"] = category
    return Fault(status, body | more)


def invalid(faults: Mapping[str, tuple[str, str]]) -> Fault:
    """One 400 that names every bad property."""
    rows = [
        {"isValid": False, "message": message, "error": code, "name": name, "localizedErrorMessage": message}
        for name, (code, message) in faults.items()
    ]
    errors = [
        {"message": message, "code": code, "context": {"propertyName": [name]}}
        for name, (code, message) in faults.items()
    ]
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    return fault(400, f"Property values were not valid: {text}", "VALIDATION_ERROR", errors=errors)


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Compact JSON with the headers HubSpot sends."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    correlation = body.get("correlationId") if isinstance(body, dict) else None
    identity = correlation or str(uuid4())
    sent = {"x-hubspot-correlation-id": identity, "x-request-id": identity, **(headers or {})}
    return web.Response(text=text, status=status, content_type="application/json", charset="utf-8", headers=sent)


def iso(ms: int) -> str:
    """A date-time; the fraction is missing when it is zero."""
    moment = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1000:03d}Z" if ms % 1000 else f"{moment}Z"


def property_value(portal: Portal, record: Record, name: str) -> str | None:
    """One property as read, computed ones included; None when empty."""
    if name == "hs_object_id":
        return record.id
    if name == "createdate":
        return iso(record.created_ms)
    if name in ("lastmodifieddate", "hs_lastmodifieddate"):
        return iso(record.modified_ms)
    if name == "associatedcompanyid":
        return portal.primary_company(record.id) or None
    return record.properties.get(name) or None


def record_json(
    portal: Portal, record: Record, names: Iterable[str] = (), history: Iterable[str] | None = None
) -> dict[str, Any]:
    """A record as the objects API shows it; unknown properties are left out."""
    wanted = [*DEFAULTS[record.type], *(name for name in names if name in portal.definitions[record.type])]
    body: dict[str, Any] = {
        "id": record.id,
        "properties": {name: property_value(portal, record, name) for name in dict.fromkeys(wanted)},
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.modified_ms),
        "archived": bool(record.archived_ms),
    }
    if record.archived_ms:
        body["archivedAt"] = iso(record.archived_ms)
    if history is not None:
        body["propertiesWithHistory"] = {name: history_json(record, name) for name in history}
    return body


def history_json(record: Record, name: str) -> list[dict[str, Any]]:
    """The newest entries of a property, newest first; HubSpot keeps a limited number."""
    depth = 45 if record.type == "contacts" else 20
    return [
        {"value": e.value, "timestamp": iso(e.at_ms), "sourceType": e.source.type, "sourceId": e.source.id}
        for e in record.history.get(name, [])[:depth]
    ]


def batch_json(results: list[dict[str, Any]], errors: list[dict[str, Any]], now_ms: int) -> web.Response:
    """200, or 207 when some rows failed."""
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": iso(now_ms),
        "completedAt": iso(now_ms),
    }
    if errors:
        body |= {"errors": errors, "numErrors": len(errors)}
    return answer(body, 207 if errors else 200)
