"""A HubSpot account over HTTP on loopback, as its public documents describe it. Imports nothing of the product.

Modelled: objects, batches with row errors, search with cap and lag, properties, primary companies, merges into a third
record, the recycle bin, privacy deletes, property histories with sources, signed webhooks with bursts and echoes, the
rolling limit, and faults on demand. Not modelled yet: the consent page and token refresh, daily limits, calculated
properties, conditional validation rules, enrichment, companies created from e-mail domains, the webhooks journal.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from services.sandbox import faults
from services.sandbox.hubspot.answers import answer
from services.sandbox.hubspot.control import Control, control_faults
from services.sandbox.hubspot.limits import Meter, meter_middleware
from services.sandbox.hubspot.objects import Objects
from services.sandbox.hubspot.portal import Portal, Source
from services.sandbox.hubspot.schema_api import Associations, Properties
from services.sandbox.hubspot.search import Search
from services.sandbox.hubspot.webhooks import Hook


@dataclass(frozen=True)
class Settings:
    """What makes one account different from another. Times in the unit of their name."""

    portal_id: int = 4711
    app_id: int = 99
    client_secret: str = "sandbox-client-secret"
    access_token: str = "sandbox-access-token"
    webhook_url: str | None = None
    webhook_window_ms: int = 80
    webhook_retry_ms: int = 1000
    search_lag_ms: int = 0
    rate_limit_per_10s: int = 190
    search_per_s: int = 5
    seed: int = 1


HOOK = web.AppKey("hook", Hook)


def create_app(settings: Settings) -> web.Application:
    """The whole account as one application."""
    hook = Hook(
        url=settings.webhook_url,
        secret=settings.client_secret,
        portal_id=settings.portal_id,
        app_id=settings.app_id,
        window_ms=settings.webhook_window_ms,
        retry_ms=settings.webhook_retry_ms,
        seed=settings.seed,
    )
    portal = Portal(settings.seed, hook.emit)
    portal.search_lag_ms = settings.search_lag_ms
    meter = Meter(settings.rate_limit_per_10s, settings.search_per_s, settings.access_token)
    waiting = faults.Faults()
    app = web.Application(
        client_max_size=32 * 1024**2,
        middlewares=[control_faults, faults.fault_middleware(waiting), meter_middleware(meter)],
    )
    app[HOOK] = hook
    own = Source("INTEGRATION", str(settings.app_id))
    Search(portal).add_routes(app)
    Objects(portal, own).add_routes(app)
    Properties(portal).add_routes(app)
    Associations(portal, own).add_routes(app)
    Control(portal, hook, meter).add_routes(app)
    faults.add_routes(app, waiting)
    app.router.add_get("/account-info/{version}/details", _details(settings))
    app.cleanup_ctx.append(_stop_sending)
    return app


def _details(settings: Settings):  # type: ignore[no-untyped-def]
    async def details(_request: web.Request) -> web.Response:
        return answer({"portalId": settings.portal_id, "accountType": "DEVELOPER_TEST", "timeZone": "Europe/Vienna"})

    return details


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
