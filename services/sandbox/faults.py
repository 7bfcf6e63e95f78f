"""Faults on demand, for both sandboxes: wrong answers, lost answers, slow answers, and a person who is faster.

A fault matches a request by a regular expression over "METHOD path" and works a given number of times, oldest first.

======================  ============================================================================================
``do``                  what happens to the matching request
======================  ============================================================================================
``status``              answered with ``status``, ``headers`` and ``body`` (a text body goes out as it is, cut JSON too)
``drop_after_apply``    carried out, then the connection is cut: the caller does not learn what became of it
``delay``               carried out after ``delay_ms``, whether or not the caller still waits
``act``                 carried out after a control call ``{method, path, json}``: a person was faster than the write
======================  ============================================================================================
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

KINDS = ("status", "drop_after_apply", "delay", "act")


@dataclass
class Fault:
    """One fault and how often it still works."""

    match: str
    do: str
    times: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay_ms: int = 0
    act: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The faults that wait for their request, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, spec: dict[str, Any]) -> None:
        """Add a fault as the control interface describes it. Raises TypeError or ValueError when it makes no sense."""
        fault = Fault(**spec)
        if fault.do not in KINDS:
            raise ValueError(f"do must be one of {', '.join(KINDS)}")
        if fault.do == "act" and "path" not in fault.act:
            raise ValueError("act must name a path")
        try:
            re.compile(fault.match)
        except re.error as error:
            raise ValueError(f"match is not a regular expression: {error}") from error
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        self._waiting.clear()

    def list(self) -> list[dict[str, Any]]:
        """The faults that still wait."""
        return [asdict(fault) for fault in self._waiting]

    def take(self, request: str) -> Fault | None:
        """The next fault for a request, used up by one."""
        for fault in self._waiting:
            if re.search(fault.match, request):
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None


def fault_middleware(faults: Faults) -> Middleware:
    """An aiohttp middleware that plays the faults; control calls are never touched."""

    @web.middleware
    async def play(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_control"):
            return await handler(request)
        fault = faults.take(f"{request.method} {request.path}")
        return await handler(request) if fault is None else await _play(fault, request, handler)

    return play


async def _play(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if fault.do == "status":
        return _answer(fault)
    await request.read()  # A caller who gives up while we wait must not take the body back.
    if fault.do == "delay":
        await asyncio.sleep(fault.delay_ms / 1000)
    if fault.do == "act":
        refusal = await _act(request, fault.act)
        if refusal:
            return web.json_response({"message": f"the act of a fault was refused: {refusal}"}, status=500)
    response = await handler(request)
    if fault.do == "drop_after_apply" and request.transport is not None:
        request.transport.abort()
    return response


def _answer(fault: Fault) -> web.Response:
    body = {"status": "error", "message": "fault"} if fault.body is None else fault.body
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(text=text, status=fault.status, headers=fault.headers, content_type="application/json")


async def _act(request: web.Request, act: dict[str, Any]) -> str:
    """Make the control call on this very server; why it was refused, "" when it was done."""
    url = f"http://{request.host}{act['path']}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(act.get("method", "POST"), url, json=act.get("json")) as answer,
    ):
        text = await answer.text()
        return "" if answer.status < 300 else f"{answer.status} {text}"


def add_routes(app: web.Application, faults: Faults) -> None:
    """GET, POST and DELETE /_control/faults; each answers the faults that wait."""

    async def add(request: web.Request) -> web.Response:
        try:
            faults.add(await request.json())
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(faults.list())

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(faults.list())

    async def clear(_request: web.Request) -> web.Response:
        faults.clear()
        return web.json_response([])

    path = "/_control/faults"
    app.add_routes([web.post(path, add), web.get(path, show), web.delete(path, clear)])
