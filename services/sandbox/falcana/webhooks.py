"""falcana's change events: one pointer per request, signed, at least once, in no order."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

from services.sandbox.sending import Sender

POINTER = ("seq", "typ", "id", "art", "version", "ziel_id")


class Hook:
    """The subscription of the interface."""

    def __init__(self, *, url: str | None, secret: str, retry_ms: int) -> None:
        self.sender = Sender(sign=self._sign, url=url, retry_ms=retry_ms)
        self._secret = secret
        self.lose_all = False
        self.lose_next = self.duplicate_next = 0

    def emit(self, entry: dict[str, Any]) -> None:
        """A new entry of the feed."""
        if self.lose_all or self.lose_next:
            self.lose_next = max(0, self.lose_next - 1)
            self.sender.counters.lost += 1
            return
        self.sender.send(entry)
        if self.duplicate_next:
            self.duplicate_next -= 1
            self.sender.send(entry)

    def _sign(self, entry: dict[str, Any], _attempt: int) -> tuple[bytes, dict[str, str]]:
        body = json.dumps({name: entry[name] for name in POINTER if name in entry}, separators=(",", ":")).encode()
        timestamp = str(int(time.time()))
        digest = hmac.new(self._secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return body, {
            "Content-Type": "application/json",
            "X-Falcana-Ereignis": f"{entry['typ']}.{entry['art']}",
            "X-Falcana-Zustellung": str(uuid4()),
            "X-Falcana-Zeitstempel": timestamp,
            "X-Falcana-Signatur": f"v1={digest}",
        }
