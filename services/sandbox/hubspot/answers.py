"""HubSpot's answers: errors and batches in their documented shapes, as compact JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from aiohttp import web

from services.sandbox.hubspot.values import Refusal, iso

Row = dict[str, Any]


class Fault(Exception):
    """An error answer."""

    def __init__(self, status: int, body: Row) -> None:
        super().__init__(body.get("message", ""))
        self.status = status
        self.body = body

    def as_row(self, trace: str | None) -> Row:
        """The same error as a row of a batch answer: no correlation id, the trace id in the context."""
        context = dict(self.body.get("context", {}))
        if trace is not None:
            context["objectWriteTraceId"] = [trace]
        named = {key: self.body[key] for key in ("status", "category", "message") if key in self.body}
        return named | {"context": context}


def fault(status: int, message: str, category: str = "", **more: Any) -> Fault:
    """An error in HubSpot's usual shape."""
    body: Row = {"status": "error", "message": message, "correlationId": str(uuid4()), **more}
    return Fault(status, body | ({"category": category} if category else {}))


def invalid(message: str, **more: Any) -> Fault:
    """A call that is wrong as a whole."""
    return fault(400, message, "VALIDATION_ERROR", **more)


def not_found() -> Fault:
    """An unknown numeric id: without a category (seen in the wild)."""
    return fault(404, "resource not found")


def invalid_properties(refusals: Mapping[str, Refusal], portal_id: int) -> Fault:
    """One 400 that names every bad property."""
    rows = [
        {
            "isValid": False,
            "message": message,
            "error": code,
            "name": name,
            "localizedErrorMessage": message,
            "portalId": portal_id,
        }
        for name, (code, message) in refusals.items()
    ]
    errors = [
        {"message": message, "code": code, "context": {"propertyName": [name]}}
        for name, (code, message) in refusals.items()
    ]
    return invalid(f"Property values were not valid: {compact(rows)}", errors=errors)


def compact(body: Any) -> str:
    """JSON without blanks."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def answer(body: Any, status: int = 200) -> web.Response:
    """Compact JSON with the correlation headers that HubSpot sends."""
    correlation = body.get("correlationId") if isinstance(body, dict) else None
    identity = correlation or str(uuid4())
    return web.Response(
        text=compact(body),
        status=status,
        content_type="application/json",
        charset="utf-8",
        headers={"x-hubspot-correlation-id": identity, "x-request-id": identity},
    )


def batch(results: Sequence[Row], errors: Sequence[Row], now_ms: int, *, made: bool = False) -> web.Response:
    """200 (201 for a creating call), or 207 when some rows failed."""
    moment = iso(now_ms)
    body: Row = {"status": "COMPLETE", "results": results, "startedAt": moment, "completedAt": moment}
    if errors:
        return answer(body | {"errors": errors, "numErrors": len(errors)}, 207)
    return answer(body, 201 if made else 200)
