"""A HubSpot account over HTTP on loopback, as its public documents describe it. Imports nothing of the product.

Modelled: contacts and companies one by one and in batches with row errors; search with caps, a limit of its own and a
lagging index; property definitions; primary companies; merges into a third record with the old ids as aliases; recycle
bin and privacy delete; histories with sources; tokens; rolling limits; signed webhooks in bursts, with echoes and
retries; and faults on demand. Limits and retries run on real time, everything else on the account's clock, which can be
set wrong.

Not modelled:

- objects other than contacts and companies, associations within one type, labels that an account defines itself,
  owners, validation rules and required fields of an administrator, daily limits, the webhooks journal, uninstalling;
- calculated properties other than ``associatedcompanyid``, ``hs_email_domain`` and ``hs_additional_emails``; the whole
  of the long built-in option lists; ``lifecyclestage`` neither starts at "lead" nor refuses to go back;
- enrichment, companies made from the domains of e-mail addresses, the blocklist of erased addresses, a refused consent;
- deletion events that may come with a merge, portals in which a merge keeps the primary id, the limit of 250 merges;
- new event ids on a retry, retries spread over a day (all are made within the growing pauses), several portals at once.

Where HubSpot's behaviour is not known, this account does the following: an identical value changes nothing at all; a
batch read does not find merged ids; an association does not move a modified date; relations come back with a restored
record; of two merged records the second one's value of a unique property is lost; a cleared value is "" in events; an
association row that fails names the missing record, not the pair.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from services.sandbox import faults
from services.sandbox.hubspot.answers import answer
from services.sandbox.hubspot.associations_api import Associations
from services.sandbox.hubspot.batches_api import Batches
from services.sandbox.hubspot.conditions import Conditions
from services.sandbox.hubspot.control import People
from services.sandbox.hubspot.limits import Meter, meter_middleware
from services.sandbox.hubspot.oauth_api import OAuth, Tokens
from services.sandbox.hubspot.objects_api import Objects
from services.sandbox.hubspot.portal import Identity, Portal
from services.sandbox.hubspot.properties_api import Properties
from services.sandbox.hubspot.search_api import Search
from services.sandbox.hubspot.webhooks import Delivery, Hook
from services.sandbox.hubspot.writer import Writer

LARGEST_BODY_BYTES = 128 * 1024**2


@dataclass(frozen=True)
class Settings:
    """What makes one account different from another. Times in the unit of their name."""

    portal_id: int = 4711
    app_id: int = 99
    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"
    access_token: str = "sandbox-access-token"
    refresh_token: str = "sandbox-refresh-token"
    webhook_url: str | None = None
    webhook_window_ms: int = 80
    webhook_retry_ms: int = 1000
    webhook_timeout_s: float = 5.0
    search_lag_ms: int = 0
    rate_limit_per_10s: int = 190
    search_per_s: int = 5
    seed: int = 1
    ui_domain: str = "app.hubspot.com"


HOOK = web.AppKey("hook", Hook)


def create_app(settings: Settings) -> web.Application:
    """The whole account as one application."""
    identity = Identity(settings.portal_id, settings.app_id, settings.ui_domain)
    hook = Hook(identity, _delivery(settings))
    portal = Portal(identity, settings.seed, hook.emit)
    portal.search_lag_ms = settings.search_lag_ms
    writer = Writer(portal)
    tokens = Tokens(
        fixed=settings.access_token,
        refresh={settings.refresh_token},
        now_ms=portal.now_ms,
        rng=Random(settings.seed + 2),
    )
    meter = Meter(settings.rate_limit_per_10s, settings.search_per_s, tokens)
    waiting = faults.Faults()
    app = web.Application(
        client_max_size=LARGEST_BODY_BYTES,
        middlewares=[meter_middleware(meter), faults.fault_middleware(waiting)],
    )
    app[HOOK] = hook
    parts = (
        Search(portal),
        Batches(portal, writer),
        Objects(portal, writer),
        Properties(portal),
        Associations(portal, writer),
        OAuth(portal, tokens, settings.client_id, settings.client_secret),
        People(portal, writer),
        Conditions(portal, writer, hook, meter),
    )
    for part in parts:
        part.add_routes(app)
    faults.add_routes(app, waiting)
    app.router.add_get("/account-info/{version}/details", _details(settings))
    app.cleanup_ctx.append(_stop_sending)
    return app


def _delivery(settings: Settings) -> Delivery:
    return Delivery(
        url=settings.webhook_url,
        secret=settings.client_secret,
        window_ms=settings.webhook_window_ms,
        retry_ms=settings.webhook_retry_ms,
        timeout_s=settings.webhook_timeout_s,
        seed=settings.seed,
    )


def _details(settings: Settings) -> Handler:
    """Account information (scope ``oauth``)."""
    body: dict[str, Any] = {
        "portalId": settings.portal_id,
        "accountType": "DEVELOPER_TEST",
        "timeZone": "Europe/Vienna",
        "companyCurrency": "EUR",
        "additionalCurrencies": [],
        "utcOffset": "+01:00",
        "utcOffsetMilliseconds": 3_600_000,
        "uiDomain": settings.ui_domain,
        "dataHostingLocation": "eu1",
    }

    async def details(_request: web.Request) -> web.Response:
        return answer(body)

    return details


async def _stop_sending(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[HOOK].close()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option per setting."""
    for name, default in vars(Settings()).items():
        kind = type(default) if default is not None else str
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Settings out of parsed options."""
    return Settings(**{name: getattr(arguments, name) for name in vars(Settings())})
