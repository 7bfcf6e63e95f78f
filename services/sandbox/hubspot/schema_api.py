"""Properties, groups, associations and account information."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import answer, batch_json, fault
from services.sandbox.hubspot.definitions import custom
from services.sandbox.hubspot.objects import kind_of
from services.sandbox.hubspot.portal import Portal, Source

REQUIRED = ("name", "label", "type", "fieldType", "groupName")
LABELS = {1: "Primary", 279: None}


class Properties:
    """/crm/properties/{version}/{type}."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def add_routes(self, app: web.Application) -> None:
        """Both forms of the path."""
        for prefix in ("/crm/properties/{version}/{type}",):
            app.add_routes(
                [
                    web.get(prefix, self.all),
                    web.post(prefix, self.create),
                    web.get(f"{prefix}/groups", self.groups),
                    web.post(f"{prefix}/groups", self.create_group),
                    web.get(f"{prefix}/{{name}}", self.read),
                ]
            )

    async def all(self, request: web.Request) -> web.Response:
        """All definitions."""
        return answer({"results": [one.as_json() for one in self.portal.definitions[kind_of(request)].values()]})

    async def read(self, request: web.Request) -> web.Response:
        """One definition."""
        found = self.portal.definitions[kind_of(request)].get(request.match_info["name"])
        if found is None:
            raise fault(404, "property not found", "OBJECT_NOT_FOUND")
        return answer(found.as_json())

    async def create(self, request: web.Request) -> web.Response:
        """201, or 409 when the name exists."""
        kind, body = kind_of(request), await request.json()
        missing = [name for name in REQUIRED if not body.get(name)]
        if missing:
            raise fault(400, f"Some required fields were not set: {missing}", "VALIDATION_ERROR")
        if body["name"] in self.portal.definitions[kind]:
            raise fault(
                409,
                f"A property named '{body['name']}' already exists.",
                "OBJECT_ALREADY_EXISTS",
                subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
            )
        definition = custom(body, self.portal.now_ms())
        self.portal.definitions[kind][definition.name] = definition
        return answer(definition.as_json(), 201)

    async def groups(self, request: web.Request) -> web.Response:
        """Groups by name."""
        names = sorted(self.portal.groups[kind_of(request)])
        return answer({"results": [{"name": name, "label": name, "archived": False} for name in names]})

    async def create_group(self, request: web.Request) -> web.Response:
        """201, or 409 when it exists."""
        kind, body = kind_of(request), await request.json()
        if body["name"] in self.portal.groups[kind]:
            raise fault(409, "group exists", "OBJECT_ALREADY_EXISTS")
        self.portal.groups[kind].add(body["name"])
        return answer({"name": body["name"], "label": body.get("label"), "archived": False}, 201)


class Associations:
    """Relations between contacts and companies, from the contact's side."""

    def __init__(self, portal: Portal, own: Source) -> None:
        self.portal = portal
        self.own = own

    def add_routes(self, app: web.Application) -> None:
        """Batch and single paths."""
        batch = "/crm/associations/{version}/contacts/companies/batch"
        single = "/crm/objects/{version}/contacts/{contact}/associations/companies/{company}"
        app.add_routes(
            [
                web.post(f"{batch}/read", self.read),
                web.post(f"{batch}/create", self.create),
                web.post(f"{batch}/archive", self.archive),
                web.put(single, self.put),
                web.delete(single, self.delete),
                web.get("/crm/objects/{version}/contacts/{contact}/associations/companies", self.get),
            ]
        )

    async def read(self, request: web.Request) -> web.Response:
        """Contacts without a company are error rows, not failures."""
        results, errors = [], []
        for one in (await request.json())["inputs"]:
            contact = str(one["id"])
            targets = self._targets(contact)
            if targets:
                results.append({"from": {"id": contact}, "to": targets})
            else:
                errors.append(_no_association(contact))
        return batch_json(results, errors, self.portal.now_ms())

    def _targets(self, contact: str) -> list[dict[str, Any]]:
        found = []
        for company, labels in self.portal.relations.get(contact, {}).items():
            if labels and self.portal.get("companies", company) is not None:
                kinds = [{"category": "HUBSPOT_DEFINED", "typeId": k, "label": LABELS.get(k)} for k in sorted(labels)]
                found.append({"toObjectId": company, "associationTypes": kinds})
        return found

    async def create(self, request: web.Request) -> web.Response:
        """Relate; a missing record is an error row."""
        results, errors = [], []
        for one in (await request.json())["inputs"]:
            contact, company = str(one["from"]["id"]), str(one["to"]["id"])
            fault_row = self._missing(contact, company)
            if fault_row:
                errors.append(fault_row)
                continue
            for kind in one["types"]:
                self.portal.relate(contact, company, int(kind["associationTypeId"]), self.own)
            self._log("associate", contact, company)
            results.append({"fromObjectId": contact, "toObjectId": company, "labels": []})
        return batch_json(results, errors, self.portal.now_ms())

    def _missing(self, contact: str, company: str) -> dict[str, Any] | None:
        for kind, one in (("contacts", contact), ("companies", company)):
            if self.portal.get(kind, one) is None:
                name = kind[:-1].upper() if kind == "contacts" else "COMPANY"
                context = {
                    "INVALID_OBJECT_IDS": [f"{name}={one} is not valid"],
                    "objectId": [one],
                    "fromObjectId": [contact],
                }
                message = "One or more associations are invalid"
                return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "context": context}
        return None

    async def archive(self, request: web.Request) -> web.Response:
        """Remove relations; ``to`` is a list."""
        for one in (await request.json())["inputs"]:
            for target in one["to"]:
                self.portal.unrelate(str(one["from"]["id"]), str(target["id"]), self.own)
                self._log("dissociate", str(one["from"]["id"]), str(target["id"]))
        return web.Response(status=204)

    async def put(self, request: web.Request) -> web.Response:
        """Relate one pair with labels."""
        contact, company = request.match_info["contact"], request.match_info["company"]
        row = self._missing(contact, company)
        if row:
            raise fault(400, row["message"], row["category"], context=row["context"])
        for kind in await request.json():
            self.portal.relate(contact, company, int(kind["associationTypeId"]), self.own)
        self._log("associate", contact, company)
        return answer({"fromObjectId": contact, "toObjectId": company, "labels": []}, 201)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove all between a pair."""
        self.portal.unrelate(request.match_info["contact"], request.match_info["company"], self.own)
        return web.Response(status=204)

    async def get(self, request: web.Request) -> web.Response:
        """All companies of a contact."""
        return answer({"results": self._targets(request.match_info["contact"])})

    def _log(self, op: str, contact: str, company: str) -> None:
        entry = {
            "at_ms": self.portal.now_ms(),
            "op": op,
            "type": "contacts",
            "id": contact,
            "properties": {"company": company},
        }
        self.portal.writes.append(entry)


def _no_association(contact: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No company is associated with contact {contact}.",
        "context": {"fromObjectId": [contact], "fromObjectType": ["contact"], "toObjectType": ["company"]},
    }
