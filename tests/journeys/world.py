"""A whole small world in one process: both sandboxes over HTTP, the receiver, a real broker, a real database, the worker.

Nothing runs by itself: ``settle`` lets webhooks arrive, offers due records and works until nothing is left to do, so a
journey is deterministic and never waits for a length of time.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from schemas.connections import Connection
from schemas.fields import DEFAULT_FIELDS
from schemas.records import System
from services.clock import SystemClock
from services.sandbox.falcana import app as falcana_sandbox
from services.sandbox.hubspot import app as hubspot_sandbox
from services.store.store import Store
from sync_worker.poller import Poller
from sync_worker.poller import run_once as poll_once
from sync_worker.sync_records import Workshop
from sync_worker.work import Crms
from sync_worker.worker import Bench, offer_due, run_once

PORTAL, APP_ID, SECRET, TOKEN, API_KEY, FALCANA_SECRET = 4711, 99, "client-secret", "token", "key", "falcana-secret"
VERIFY_AFTER_S = 0.0
QUIET_ROUNDS = 2


@dataclass
class Person:
    """Somebody who works in one of the two systems, through the sandbox's control interface."""

    base: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control call; its JSON answer. Raises on anything but success."""
        async with self.session.request(method, f"{self.base}/_control{path}", json=body) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json() if answer.content_type == "application/json" else None

    async def create(self, kind: str, body: dict[str, Any]) -> str:
        """Create a record; its id as text."""
        return str((await self.ask("POST", f"/records/{kind}", body))["id"])

    async def edit(self, kind: str, record_id: str, body: dict[str, Any]) -> None:
        """Change some fields."""
        await self.ask("PATCH", f"/records/{kind}/{record_id}", body)

    async def delete(self, kind: str, record_id: str) -> None:
        """Delete a record."""
        await self.ask("DELETE", f"/records/{kind}/{record_id}")

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """Every record that is not deleted."""
        found = await self.ask("GET", f"/records/{kind}")
        return list(found["results"] if isinstance(found, dict) and "results" in found else found)
