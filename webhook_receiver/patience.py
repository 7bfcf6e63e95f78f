"""Cut off connections that bring no complete request head in time. aiohttp by itself waits for them for ever.

A sweeper looks at the open connections every second; a middleware tells which of them are being answered.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from services.clock import Clock
from services.telemetry import log

HEAD_WITHIN_S = 8.0
SWEEP_EVERY_S = 1.0


class Patience:
    """Since when each open connection has been silent."""

    def __init__(self, clock: Clock, head_within_s: float = HEAD_WITHIN_S) -> None:
        self._clock = clock
        self._head_within_s = head_within_s
        self._silent_since: dict[RequestHandler, float] = {}
        self._answering: set[RequestHandler] = set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """While a request is answered its connection is not silent; afterwards its patience begins anew."""
        connection = request.protocol
        self._answering.add(connection)
        try:
            return await handler(request)
        finally:
            self._answering.discard(connection)
            self._silent_since[connection] = self._clock.monotonic_s()

    def sweep(self, server: web.Server) -> int:
        """Close what was silent too long; how many that were."""
        now_s, still_open = self._clock.monotonic_s(), server.connections
        self._silent_since = {one: self._silent_since.get(one, now_s) for one in still_open}
        late = [
            one for one, since in self._silent_since.items() if one not in self._answering and self._late(since, now_s)
        ]
        for connection in late:
            connection.force_close()
        if late:
            log.info("slow_connections_cut", sent=len(late))
        return len(late)

    def _late(self, since_s: float, now_s: float) -> bool:
        return now_s - since_s > self._head_within_s

    async def keep_sweeping(self, server: web.Server) -> None:
        """Sweep until cancelled."""
        while True:
            self.sweep(server)
            await self._clock.sleep(SWEEP_EVERY_S)
