"""The worker's internal port: is it alive, can it work, and its numbers. Never reachable from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], str]
"""What is wrong with one dependency, in words that say what happens next; empty when it is fine."""


def create_app(checks: Mapping[str, Check]) -> web.Application:
    """``/livez``: the loop turns. ``/readyz``: 200 or 503 with the reason in words. ``/metrics``: Prometheus text."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        faults = {name: fault for name, check in checks.items() if (fault := check())}
        return web.json_response({"ready": not faults, "faults": faults}, status=503 if faults else 200)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start the internal port; 0 picks a free one. Returns the runner, to be cleaned up, and the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound: int = runner.addresses[0][1]
    return runner, bound
