"""Somebody who works in one of the two systems, through the sandbox's control interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass
class Person:
    """A user of HubSpot (``wraps``: fields travel as properties) or falcana."""

    url: str
    session: aiohttp.ClientSession
    wraps: bool

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One control call. Raises RuntimeError with the answer when it fails."""
        async with self.session.request(method, f"{self.url}/_control{path}", json=body) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def create(self, kind: str, fields: dict[str, Any], **more: Any) -> str:
        """Create a record; its id."""
        made = await self.ask("POST", f"/records/{kind}", {**self._body(fields), **more})
        return str(made["id"])

    async def edit(self, kind: str, record_id: str, **fields: Any) -> None:
        """Change fields."""
        await self.ask("PATCH", f"/records/{kind}/{record_id}", self._body(fields))

    async def delete(self, kind: str, record_id: str) -> None:
        """Delete a record."""
        await self.ask("DELETE", f"/records/{kind}/{record_id}")

    async def show(self, kind: str, record_id: str) -> dict[str, Any]:
        """One record, flat."""
        shown: dict[str, Any] = await self.ask("GET", f"/records/{kind}/{record_id}")
        if self.wraps:
            return {**shown.get("properties", {}), **{k: v for k, v in shown.items() if k != "properties"}}
        return shown

    async def all(self, kind: str) -> list[dict[str, Any]]:
        """Every active record, flat."""
        found: list[dict[str, Any]] = await self.ask("GET", f"/records/{kind}")
        if not self.wraps:
            return found
        return [{**one["properties"], **{k: v for k, v in one.items() if k != "properties"}} for one in found]

    async def written(self) -> int:
        """How many writes the product has made so far."""
        return len(await self.ask("GET", "/writes"))

    def _body(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {"properties": fields} if self.wraps else fields


@dataclass
class Both:
    """The two people of the story."""

    hubspot: Person
    falcana: Person

    async def linked(self, kind: str) -> tuple[dict[str, Any], str]:
        """A falcana record that has a partner in HubSpot, and the partner's id."""
        key = {"adressen": "hubspot_unternehmen_id", "ansprechpartner": "hubspot_kontakt_id"}[kind]
        for one in await self.falcana.all(kind):
            if one["individualfelder"].get(key):
                return one, str(one["individualfelder"][key])
        raise RuntimeError(f"no record of {kind} is linked")

    async def partner_of_company(self, hubspot_id: str) -> dict[str, Any] | None:
        """The Adresse that holds a HubSpot id."""
        for one in await self.falcana.all("adressen"):
            if one["individualfelder"].get("hubspot_unternehmen_id") == hubspot_id:
                return one
        return None

    async def partner_of_contact(self, hubspot_id: str) -> dict[str, Any] | None:
        """The Ansprechpartner that holds a HubSpot id."""
        for one in await self.falcana.all("ansprechpartner"):
            if one["individualfelder"].get("hubspot_kontakt_id") == hubspot_id:
                return one
        return None
