"""A line to a server that the test can cut or make silent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class Line:
    """Carries bytes both ways between a port of its own and the server of ``url``."""

    def __init__(self, url: str) -> None:
        self._far = urlsplit(url)
        self._writers: set[asyncio.StreamWriter] = set()
        self._speaks = asyncio.Event()
        self._speaks.set()

    async def open(self) -> str:
        """Begin to carry; the URL of this end."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, _, _ = self._far.netloc.rpartition("@")
        return self._far._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    def fall_silent(self) -> None:
        """Keep every connection and carry nothing, as a broker does that blocks its publishers."""
        self._speaks.clear()

    def speak(self) -> None:
        """Carry again, beginning with what was held back."""
        self._speaks.set()

    def cut(self) -> None:
        """End every connection without a word; new ones are accepted."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self) -> None:
        """End everything."""
        self._server.close()
        self.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65_536):
                await self._speaks.wait()
                writer.write(some)
                await writer.drain()
        writer.transport.abort()
