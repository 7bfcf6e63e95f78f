"""Builds the workshop from its settings. Only ``__main__`` calls this; nothing else names a concrete CRM or queue."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.connections import Connection
from schemas.fields import DEFAULT_FIELDS
from schemas.records import System
from services.clock import Clock, SystemClock
from services.crm import Crm
from services.falcana.client import FalcanaClient
from services.hubspot.client import HubspotClient
from services.settings import ConnectionSecrets, WorkerSettings
from services.store.budget import SharedBudget
from services.store.store import Store, open_store
from services.transport import Transport
from sync_worker.work import Crms


@dataclass(frozen=True)
class Workplace:
    """Everything concrete that a process of the workshop needs."""

    settings: WorkerSettings
    clock: Clock
    store: Store
    crms: dict[int, Crms]

    def sides(self) -> dict[int, dict[System, Crm]]:
        """Both doors of every connection, by system."""
        return {
            connection_id: {System.HUBSPOT: crms.hubspot, System.FALCANA: crms.falcana}
            for connection_id, crms in self.crms.items()
        }


def worker_name() -> str:
    """A name for leases that no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}"
