"""A CRM client, its sandbox on loopback, and a person who works there through the control interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from aiohttp import web

from schemas.fields import DEFAULT_FIELDS, FALCANA_ID_PROPERTY, HUBSPOT_ID_FIELDS
from schemas.records import FieldValue, Kind, ObjectType
from schemas.seen import SideSeen
from services.canonical import canonical
from services.clock import SystemClock
from services.crm import Changed, Crm, CrmError, Write
from services.falcana.client import FalcanaClient
from services.falcana.writing import Defaults
from services.hubspot.client import HubspotClient
from services.hubspot.setup import set_up
from services.sandbox.falcana import app as falcana_sandbox
from services.sandbox.hubspot import app as hubspot_sandbox
from services.transport import Transport

COMPANY, CONTACT = ObjectType.COMPANY, ObjectType.CONTACT
MISSING_ID = "123456789"
APP_ID = 99
DEFAULTS = Defaults(adressart="firma", zustaendiger_user_id=7, vertriebsgruppe_id=3)


HUBSPOT_KINDS = {ObjectType.COMPANY: "companies", ObjectType.CONTACT: "contacts"}
HUBSPOT_CALLS = {"read": "(GET /crm/objects|batch/read)", "write": "(batch/update|batch/upsert|batch/create)"}
FALCANA_KINDS = {ObjectType.COMPANY: "adressen", ObjectType.CONTACT: "ansprechpartner"}
FALCANA_CALLS = {"read": "GET /api/v1/(adressen|ansprechpartner)", "write": "(POST|PATCH) /api/v1/"}


class Side(Protocol):
    """A system under test: the client, and a person who works there. Fields are named as we name them."""

    crm: Crm

    async def make(self, object_type: ObjectType, fields: Mapping[str, str], parent_id: str = "") -> str:
        """The person creates a record; its id."""
        ...

    async def edit(self, object_type: ObjectType, record_id: str, fields: Mapping[str, str]) -> None:
        """The person changes fields."""
        ...

    async def show(self, object_type: ObjectType, record_id: str) -> dict[str, str]:
        """What the person sees in the mapped fields that are not empty, with ``parent`` and ``marker``."""
        ...

    async def ids(self, object_type: ObjectType) -> list[str]:
        """All records there are."""
        ...

    async def delete(self, object_type: ObjectType, record_id: str) -> None:
        """The person deletes a record."""
        ...

    async def merge(self, object_type: ObjectType, winner_id: str, loser_id: str) -> str:
        """The person merges two records; the id that both lead to."""
        ...

    async def writes(self) -> int:
        """How often the client has written a record."""
        ...

    async def calls(self) -> int:
        """How often the client has called."""
        ...

    async def fail(self, what: str, status: int, times: int = 1) -> None:
        """The next ``read`` or ``write`` call is answered with this status and not carried out."""
        ...

    async def lose_answer(self) -> None:
        """The next write is carried out and its answer lost."""
        ...


def values(**texts: str) -> dict[str, FieldValue]:
    """Plain text values by name; ``phone`` and ``email`` in their comparable form."""
    kinds = {"phone": Kind.PHONE, "email": Kind.EMAIL, "website": Kind.URL, "country": Kind.COUNTRY}
    return {name: FieldValue(text, canonical(kinds.get(name, Kind.TEXT), text)) for name, text in texts.items()}


def new(ref: int, marker: str, parent_id: str | None = "", **texts: str) -> Write:
    """A create, repeatable under its marker."""
    key = f"1-test-{marker}"
    return Write(ref=ref, values=values(**texts), marker=marker, parent_id=parent_id, idempotency_key=key)


def change(ref: int, seen: SideSeen, **texts: str) -> Write:
    """An update of what was just seen."""
    return Write(ref=ref, record_id=seen.record_id, version=seen.version, values=values(**texts))


async def everything(crm: Crm, object_type: ObjectType) -> list[Changed]:
    """All pages of the full listing."""
    return [one async for page in crm.everything(object_type) for one in page]


async def changes_since(crm: Crm, object_type: ObjectType, position: str) -> tuple[list[Changed], str]:
    """All pages of changes, and the position behind them."""
    found: list[Changed] = []
    for _ in range(100):
        page = await crm.changes(object_type, position, SystemClock().now_ms() + 60_000)
        found, position = [*found, *page.changes], page.position
        if not page.more:
            return found, position
    raise AssertionError("the listing of changes does not end")


def refused_segment() -> dict[str, FieldValue]:
    """A value that neither system has an option for, as if somebody had removed the option."""
    return {"segment": FieldValue("Z", "Z")}


async def attempt(crm: Crm, writes: Sequence[Write]) -> object:
    """The only result of an update, or the exception it ended with."""
    try:
        return (await crm.update(COMPANY, writes))[0]
    except CrmError as error:
        return error


@dataclass
class Control:
    """The control interface of a sandbox."""

    base: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control call; its JSON answer."""
        async with self.session.request(method, f"{self.base}/_control{path}", json=body) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json()


class HubspotSide:
    """HubSpot's client and a person in HubSpot."""

    def __init__(self, control: Control, transport: Transport) -> None:
        self.control = control
        self.transport = transport
        self.crm = HubspotClient(transport, APP_ID, DEFAULT_FIELDS)

    def _wire(self, object_type: ObjectType, fields: Mapping[str, str]) -> dict[str, str]:
        names = {rule.name: rule.hubspot for rule in DEFAULT_FIELDS[object_type]}
        return {names[name]: text for name, text in fields.items()}

    async def make(self, object_type: ObjectType, fields: Mapping[str, str], parent_id: str = "") -> str:
        body = {"properties": self._wire(object_type, fields), "companyId": parent_id}
        return str((await self.control.ask("POST", f"/records/{HUBSPOT_KINDS[object_type]}", body))["id"])

    async def edit(self, object_type: ObjectType, record_id: str, fields: Mapping[str, str]) -> None:
        path = f"/records/{HUBSPOT_KINDS[object_type]}/{record_id}"
        await self.control.ask("PATCH", path, {"properties": self._wire(object_type, fields)})

    async def show(self, object_type: ObjectType, record_id: str) -> dict[str, str]:
        shown = await self.control.ask("GET", f"/records/{HUBSPOT_KINDS[object_type]}/{record_id}")
        names = {rule.hubspot: rule.name for rule in DEFAULT_FIELDS[object_type]} | {FALCANA_ID_PROPERTY: "marker"}
        found = {names[name]: text for name, text in shown["properties"].items() if name in names and text}
        return found | {"parent": shown["primaryCompanyId"] or ""}

    async def ids(self, object_type: ObjectType) -> list[str]:
        return [one["id"] for one in await self.control.ask("GET", f"/records/{HUBSPOT_KINDS[object_type]}")]

    async def delete(self, object_type: ObjectType, record_id: str) -> None:
        await self.control.ask("DELETE", f"/records/{HUBSPOT_KINDS[object_type]}/{record_id}")

    async def merge(self, object_type: ObjectType, winner_id: str, loser_id: str) -> str:
        body = {"primaryObjectId": winner_id, "objectIdToMerge": loser_id}
        return str((await self.control.ask("POST", f"/records/{HUBSPOT_KINDS[object_type]}/merge", body))["id"])

    async def writes(self) -> int:
        return len(await self.control.ask("GET", "/writes"))

    async def calls(self) -> int:
        return int((await self.control.ask("GET", "/stats"))["total_calls"])

    async def fail(self, what: str, status: int, times: int = 1) -> None:
        fault = {"match": HUBSPOT_CALLS[what], "do": "status", "status": status, "times": times}
        await self.control.ask("POST", "/faults", fault)

    async def lose_answer(self) -> None:
        await self.control.ask("POST", "/faults", {"match": HUBSPOT_CALLS["write"], "do": "drop_after_apply"})


class FalcanaSide:
    """falcana's client and a person in falcana."""

    def __init__(self, control: Control, crm: FalcanaClient) -> None:
        self.control = control
        self.crm = crm

    def _wire(self, object_type: ObjectType, fields: Mapping[str, str]) -> dict[str, Any]:
        names = {rule.name: rule.falcana for rule in DEFAULT_FIELDS[object_type]}
        return {names[name]: text for name, text in fields.items()}

    async def make(self, object_type: ObjectType, fields: Mapping[str, str], parent_id: str = "") -> str:
        body = self._wire(object_type, fields) | ({"adresse_id": int(parent_id)} if parent_id else {})
        return str((await self.control.ask("POST", f"/records/{FALCANA_KINDS[object_type]}", body))["id"])

    async def edit(self, object_type: ObjectType, record_id: str, fields: Mapping[str, str]) -> None:
        path = f"/records/{FALCANA_KINDS[object_type]}/{record_id}"
        await self.control.ask("PATCH", path, self._wire(object_type, fields))

    async def show(self, object_type: ObjectType, record_id: str) -> dict[str, str]:
        shown = await self.control.ask("GET", f"/records/{FALCANA_KINDS[object_type]}/{record_id}")
        rules = DEFAULT_FIELDS[object_type]
        found = {rule.name: shown[rule.falcana] for rule in rules if shown.get(rule.falcana)}
        marker = shown["individualfelder"].get(HUBSPOT_ID_FIELDS[object_type]) or ""
        return found | {"parent": str(shown.get("adresse_id") or ""), "marker": marker}

    async def ids(self, object_type: ObjectType) -> list[str]:
        return [str(one["id"]) for one in await self.control.ask("GET", f"/records/{FALCANA_KINDS[object_type]}")]

    async def delete(self, object_type: ObjectType, record_id: str) -> None:
        await self.control.ask("DELETE", f"/records/{FALCANA_KINDS[object_type]}/{record_id}")

    async def merge(self, object_type: ObjectType, winner_id: str, loser_id: str) -> str:
        body = {"ziel_id": winner_id, "verlierer_id": loser_id}
        return str((await self.control.ask("POST", f"/records/{FALCANA_KINDS[object_type]}/merge", body))["id"])

    async def writes(self) -> int:
        return len(await self.control.ask("GET", "/writes"))

    async def calls(self) -> int:
        return int((await self.control.ask("GET", "/stats"))["total_calls"])

    async def fail(self, what: str, status: int, times: int = 1) -> None:
        fault = {"match": FALCANA_CALLS[what], "do": "status", "status": status, "times": times}
        await self.control.ask("POST", "/faults", fault)

    async def lose_answer(self) -> None:
        await self.control.ask("POST", "/faults", {"match": FALCANA_CALLS["write"], "do": "drop_after_apply"})


@asynccontextmanager
async def hubspot_side(**settings: Any) -> AsyncIterator[HubspotSide]:
    """A fresh account, set up."""
    calm: dict[str, Any] = {"rate_limit_per_10s": 100_000, "search_per_s": 100_000, **settings}
    sandbox = hubspot_sandbox.Settings(app_id=APP_ID, **calm)

    async def token() -> str:
        return sandbox.access_token

    async with AsyncExitStack() as stack:
        url, session = await _served(stack, hubspot_sandbox.create_app(sandbox))
        transport = await stack.enter_async_context(Transport(url, token, SystemClock(), "hubspot", timeout_s=10))
        await set_up(transport)
        yield HubspotSide(Control(url, session), transport)


@asynccontextmanager
async def falcana_side(**settings: Any) -> AsyncIterator[FalcanaSide]:
    """A fresh database."""
    sandbox = falcana_sandbox.Settings(**settings)

    async def key() -> str:
        return sandbox.api_key

    async with AsyncExitStack() as stack:
        url, session = await _served(stack, falcana_sandbox.create_app(sandbox))
        door = Transport(f"{url}/api/v1", key, SystemClock(), "falcana", timeout_s=10)
        transport = await stack.enter_async_context(door)
        yield FalcanaSide(Control(url, session), FalcanaClient(transport, DEFAULT_FIELDS, DEFAULTS))


async def _served(stack: AsyncExitStack, app: web.Application) -> tuple[str, aiohttp.ClientSession]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return f"http://127.0.0.1:{runner.addresses[0][1]}", session
