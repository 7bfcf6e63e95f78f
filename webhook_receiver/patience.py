"""Cut off connections that bring no complete request head in time. aiohttp knows a time-out for idle ones only.

A sweeper looks at the open connections every second; a middleware tells which of them are being answered. A connection
that has brought a request may rest as long as it is kept alive; its next head is cut off with it.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from services.clock import Clock
from services.telemetry import log

HEAD_WITHIN_S = 8.0
KEEP_ALIVE_S = 15.0
SWEEP_EVERY_S = 1.0
LOOK_EVERY_S = 0.05


class Patience:
    """Until when each open connection may be silent."""

    def __init__(self, clock: Clock, head_within_s: float = HEAD_WITHIN_S, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._clock = clock
        self._head_within_s = head_within_s
        self._keep_alive_s = keep_alive_s
        self._silent_until: dict[RequestHandler, float] = {}
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
            self._silent_until[connection] = self._clock.monotonic_s() + self._keep_alive_s

    def sweep(self, server: web.Server) -> int:
        """Close what was silent too long; how many that were."""
        now_s, still_open = self._clock.monotonic_s(), server.connections
        first_head_s = now_s + self._head_within_s
        self._silent_until = {one: self._silent_until.get(one, first_head_s) for one in still_open}
        late = [one for one, end_s in self._silent_until.items() if end_s < now_s and one not in self._answering]
        for connection in late:
            connection.force_close()
        if late:
            log.info("slow_connections_cut", sent=len(late))
        return len(late)

    async def all_answered(self, within_s: float) -> None:
        """Return once no request is in hand, or after ``within_s``."""
        end_s = self._clock.monotonic_s() + within_s
        while self._answering and self._clock.monotonic_s() < end_s:
            await self._clock.sleep(LOOK_EVERY_S)

    async def keep_sweeping(self, server: web.Server) -> None:
        """Sweep until cancelled."""
        while True:
            self.sweep(server)
            await self._clock.sleep(SWEEP_EVERY_S)
