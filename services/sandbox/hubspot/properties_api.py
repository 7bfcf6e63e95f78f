"""The properties API: definitions and groups (properties guide)."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Fault, Row, answer, batch, fault, invalid
from services.sandbox.hubspot.definitions import FIELD_TYPES, GROUPS, REQUIRED, Definition, changed, custom
from services.sandbox.hubspot.inbound import body_of, inputs_of, kind_of
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import TYPES
from services.sandbox.hubspot.views import definition_view

MOST_UNIQUE = 10
OPTION_PARTS = ("label", "value", "displayOrder", "hidden")


class Properties:
    """Handlers of /crm/properties/{version}/{type}, and of the same under /crm/v3/properties."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.archived: dict[str, dict[str, Definition]] = {kind: {} for kind in TYPES}
        self.groups: dict[str, dict[str, Row]] = {kind: {GROUPS[kind]: _group(GROUPS[kind])} for kind in TYPES}

    def add_routes(self, app: web.Application) -> None:
        """All paths, for the dated versions and for v3."""
        for prefix in ("/crm/properties/{version}/{type}", "/crm/{version}/properties/{type}"):
            app.add_routes(
                [
                    web.get(prefix, self.all),
                    web.post(prefix, self.create),
                    web.post(f"{prefix}/batch/create", self.batch_create),
                    web.post(f"{prefix}/batch/read", self.batch_read),
                    web.post(f"{prefix}/batch/archive", self.batch_archive),
                    web.get(f"{prefix}/groups", self.all_groups),
                    web.post(f"{prefix}/groups", self.create_group),
                    web.get(f"{prefix}/groups/{{name}}", self.read_group),
                    web.get(f"{prefix}/{{name}}", self.read),
                    web.patch(f"{prefix}/{{name}}", self.update),
                    web.delete(f"{prefix}/{{name}}", self.archive),
                ]
            )

    async def all(self, request: web.Request) -> web.Response:
        """All definitions."""
        return answer({"results": [definition_view(one) for one in self.portal.definitions[kind_of(request)].values()]})

    async def read(self, request: web.Request) -> web.Response:
        """One definition."""
        return answer(definition_view(self._known(kind_of(request), request.match_info["name"])))

    def _known(self, kind: str, name: str) -> Definition:
        found = self.portal.definitions[kind].get(name)
        if found is None:
            raise fault(404, f'Property "{name}" does not exist', "OBJECT_NOT_FOUND")
        return found

    async def create(self, request: web.Request) -> web.Response:
        """201, or 409 when the name exists. An archived name comes back with its old definition."""
        return answer(definition_view(self._create(kind_of(request), await body_of(request))), 201)

    def _create(self, kind: str, body: Row) -> Definition:
        name = body.get("name")
        if name in self.portal.definitions[kind]:
            message = f"A property named '{name}' already exists."
            raise fault(409, message, "OBJECT_ALREADY_EXISTS", subCategory="Properties.PROPERTY_WITH_NAME_EXISTS")
        restored = self.archived[kind].pop(str(name), None)
        if restored is None:
            self._check(kind, body)
        made = restored or custom(body, self.portal.now_ms())
        self.portal.definitions[kind][made.name] = made
        return made

    def _check(self, kind: str, body: Row) -> None:
        """Raise 400 for a definition that HubSpot would not take."""
        missing = [part for part in REQUIRED if not body.get(part)]
        if missing:
            raise invalid(f"Invalid input JSON: some required fields were not set: {missing}")
        if body["fieldType"] not in FIELD_TYPES.get(body["type"], ()):
            raise invalid(f"fieldType {body['fieldType']} does not suit type {body['type']}")
        if body["groupName"] not in self.groups[kind]:
            raise invalid(f"Property group {body['groupName']} does not exist")
        _check_options(body.get("options") or [])
        unique = [one for one in self.portal.definitions[kind].values() if one.unique]
        if body.get("hasUniqueValue") and len(unique) >= MOST_UNIQUE:
            raise invalid(f"at most {MOST_UNIQUE} unique properties are allowed")

    async def update(self, request: web.Request) -> web.Response:
        """200; a list of options replaces the old one."""
        kind, body = kind_of(request), await body_of(request)
        known = self._known(kind, request.match_info["name"])
        if known.builtin:
            raise invalid(f'Property "{known.name}" has a read only definition')
        _check_options(body.get("options") or [])
        made = changed(known, body, self.portal.now_ms())
        self.portal.definitions[kind][made.name] = made
        return answer(definition_view(made))

    async def archive(self, request: web.Request) -> web.Response:
        """204."""
        self._archive(kind_of(request), request.match_info["name"])
        return web.Response(status=204)

    def _archive(self, kind: str, name: str) -> None:
        known = self._known(kind, name)
        if known.builtin:
            raise invalid(f'Property "{name}" cannot be archived')
        self.archived[kind][name] = self.portal.definitions[kind].pop(name)

    async def batch_create(self, request: web.Request) -> web.Response:
        """201, or 207 when some exist already."""
        kind, results, errors = kind_of(request), [], []
        for one in inputs_of(await body_of(request)):
            try:
                results.append(definition_view(self._create(kind, one)))
            except Fault as error:
                row = error.as_row(None)
                errors.append(row | {"context": {"name": [str(one.get("name"))]}})
        return batch(results, errors, self.portal.now_ms(), made=True)

    async def batch_read(self, request: web.Request) -> web.Response:
        """200, or 207 when some are not there."""
        kind, results, errors = kind_of(request), [], []
        for one in inputs_of(await body_of(request), needs=["name"]):
            try:
                results.append(definition_view(self._known(kind, one["name"])))
            except Fault as error:
                errors.append(error.as_row(None) | {"context": {"name": [one["name"]]}})
        return batch(results, errors, self.portal.now_ms())

    async def batch_archive(self, request: web.Request) -> web.Response:
        """204 whatever was there."""
        kind = kind_of(request)
        for one in inputs_of(await body_of(request), needs=["name"]):
            if one["name"] in self.portal.definitions[kind]:
                self._archive(kind, one["name"])
        return web.Response(status=204)

    async def all_groups(self, request: web.Request) -> web.Response:
        """All groups."""
        return answer({"results": list(self.groups[kind_of(request)].values())})

    async def read_group(self, request: web.Request) -> web.Response:
        """One group."""
        group = self.groups[kind_of(request)].get(request.match_info["name"])
        if group is None:
            raise fault(404, "property group not found", "OBJECT_NOT_FOUND")
        return answer(group)

    async def create_group(self, request: web.Request) -> web.Response:
        """201, or 409 when it exists."""
        kind, body = kind_of(request), await body_of(request)
        name = body.get("name")
        if not name or not body.get("label"):
            raise invalid("Invalid input JSON: name and label are needed")
        if name in self.groups[kind]:
            raise fault(409, f"A property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        self.groups[kind][name] = _group(name, body["label"], body.get("displayOrder", -1))
        return answer(self.groups[kind][name], 201)


def _check_options(options: Any) -> None:
    wrong = [one for one in options if not isinstance(one, dict) or any(part not in one for part in OPTION_PARTS)]
    if wrong:
        raise invalid(f"Invalid input JSON: every option needs {', '.join(OPTION_PARTS)}")
    values = [one["value"] for one in options]
    if len(set(values)) < len(values):
        raise invalid("option values must be unique")


def _group(name: str, label: str = "", order: int = -1) -> Row:
    return {"name": name, "label": label or name, "displayOrder": order, "archived": False}
