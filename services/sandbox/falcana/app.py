"""A falcana database over HTTP on loopback, by the contract "falcana API v1". Imports nothing of the product.

Modelled: records with versions and field times, the change feed with gaps and 410, tombstones, batches, idempotency
keys, read-only Individualfelder, options, Privatpersonen, merge, restore, anonymising, hidden records, signed change
events and
faults on demand. Not modelled yet: users and rights in detail, imports, the duplicate search, webhooks by subscription.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from services.sandbox import faults
from services.sandbox.falcana.api import Api
from services.sandbox.falcana.control import Control
from services.sandbox.falcana.state import Database, Refusal
from services.sandbox.falcana.webhooks import Hook

CAPABILITIES = "stapel,webhooks,feld_zeiten,sammelabruf,idempotenz"


@dataclass(frozen=True)
class Settings:
    """What makes one database different from another. Times in the unit of their name."""

    api_key: str = "sandbox-api-key"
    datenbank: str = "demo"
    webhook_url: str | None = None
    webhook_secret: str = "sandbox-falcana-secret"
    webhook_retry_ms: int = 1000
    rate_limit_per_min: int = 600_000
    faehigkeiten: str = CAPABILITIES
    conflict_status: int = 412
    seed: int = 1


HOOK = web.AppKey("hook", Hook)


def create_app(settings: Settings) -> web.Application:
    """The whole database as one application."""
    hook = Hook(url=settings.webhook_url, secret=settings.webhook_secret, retry_ms=settings.webhook_retry_ms)
    database = Database(settings.seed, hook.emit)
    calls: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    waiting = faults.Faults()
    app = web.Application(
        client_max_size=32 * 1024**2,
        middlewares=[_refusals, faults.fault_middleware(waiting), _guard(settings, calls, statuses)],
    )
    app[HOOK] = hook
    Api(database, settings.datenbank, tuple(settings.faehigkeiten.split(",")), settings.conflict_status).add_routes(app)
    Control(database, hook, calls, statuses).add_routes(app)
    faults.add_routes(app, waiting)
    app.cleanup_ctx.append(_stop_sending)
    return app


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response(refusal.as_json(), status=refusal.status, content_type="application/problem+json")


def _guard(settings: Settings, calls: Counter[str], statuses: Counter[str]) -> Any:
    """Key, limit and counting."""
    recent: deque[float] = deque()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_control"):
            return await handler(request)
        if request.headers.get("Authorization") != f"Bearer {settings.api_key}":
            raise Refusal(401, "nicht_angemeldet")
        now = time.monotonic()
        while recent and recent[0] <= now - 60:
            recent.popleft()
        if len(recent) >= settings.rate_limit_per_min:
            raise Refusal(429, "limit_erreicht")
        recent.append(now)
        calls[f"{request.method} {request.path.split('/')[3]}"] += 1
        response = await handler(request)
        statuses[str(response.status)] += 1
        response.headers["RateLimit-Limit"] = str(settings.rate_limit_per_min)
        response.headers["RateLimit-Remaining"] = str(max(0, settings.rate_limit_per_min - len(recent)))
        return response

    return guard


async def _stop_sending(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[HOOK].sender.close()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option per setting."""
    for name, default in vars(Settings()).items():
        kind = type(default) if default is not None else str
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Settings out of parsed options."""
    return Settings(**{name: getattr(arguments, name) for name in vars(Settings())})
