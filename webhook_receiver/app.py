"""Routes, limits and internal pages of the letterbox."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.hints import HintPublisher
from webhook_receiver.intake import Intake
from webhook_receiver.patience import Patience


def create_app(intake: Intake, patience: Patience) -> web.Application:
    """POST /webhooks/hubspot and POST /webhooks/falcana/{connection_id}; nothing else faces the internet."""
    app = web.Application(client_max_size=intake.settings.max_body_bytes, middlewares=[patience.middleware])
    app.add_routes(
        [
            web.post("/webhooks/hubspot", intake.hubspot),
            web.post(r"/webhooks/falcana/{connection_id:\d{1,9}}", intake.falcana),
        ]
    )
    return app


def create_internal_app(publisher: HintPublisher, stopping: Callable[[], bool]) -> web.Application:
    """``/livez``, ``/readyz`` with words that say what happens, ``/metrics``. For an internal port."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        if stopping():
            return web.json_response({"ready": False, "means": "stopping; requests in hand are finished"}, status=503)
        if not publisher.ready:
            words = "the broker is away: the hooks answer 503, the senders come back for 24 hours"
            return web.json_response({"ready": False, "means": words}, status=503)
        return web.json_response({"ready": True, "means": "every request is stored before it is answered"})

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app
