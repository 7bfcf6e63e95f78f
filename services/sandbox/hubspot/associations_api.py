"""Associations between contacts and companies, from either side, one by one and in batches.

Ids are texts in the dated versions and numbers in v4. A record without associations is an error row of a batch read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Fault, Row, answer, batch, invalid
from services.sandbox.hubspot.inbound import body_of, inputs_of, kind_named
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import SINGULAR, TYPE_IDS, Record
from services.sandbox.hubspot.relations import FORWARD, NAMES, PLAIN, REVERSE
from services.sandbox.hubspot.writer import Writer

MOST_READ, MOST_CREATED, MOST_ARCHIVED = 1000, 2000, 100
INVALID = "One or more associations are invalid"
SINGLE = ("/crm/objects/{version}/{from}/{id}/associations", "/crm/{version}/objects/{from}/{id}/associations")
BATCH = ("/crm/associations/{version}/{from}/{to}", "/crm/{version}/associations/{from}/{to}")


class End:
    """Both ends of a call: which side it starts from, and how this side numbers the labels."""

    def __init__(self, request: web.Request) -> None:
        self.start = kind_named(request.match_info["from"])
        self.target = kind_named(request.match_info["to"])
        if self.start == self.target:
            raise invalid("Associations between records of one type are not part of this sandbox")
        self.numbers_as_ids = request.match_info["version"] == "v4"

    def pair(self, start: str, target: str) -> tuple[str, str]:
        """(contact, company)"""
        return (start, target) if self.start == "contacts" else (target, start)

    def shown(self, labels: Iterable[int]) -> list[Row]:
        """Labels as this side numbers them."""
        return [
            {
                "category": "HUBSPOT_DEFINED",
                "typeId": label if self.start == "contacts" else REVERSE[label],
                "label": NAMES[label],
            }
            for label in sorted(labels)
        ]

    def labels(self, specs: Any) -> set[int]:
        """The labels that a call names. Raises 400 for a type that does not exist between the two."""
        try:
            named = [(str(one["associationCategory"]), int(one["associationTypeId"])) for one in specs]
        except (KeyError, TypeError, ValueError) as error:
            raise invalid("Invalid input JSON: associationCategory and associationTypeId are needed") from error
        known = NAMES.keys() if self.start == "contacts" else FORWARD.keys()
        wrong = [f"{where}={number}" for where, number in named if where != "HUBSPOT_DEFINED" or number not in known]
        if wrong or not named:
            told = [f"{one} is not a valid association definition id" for one in wrong]
            raise invalid(INVALID, context={"associationSpec": wrong, "INVALID_ASSOCIATION_TYPE_ID": told})
        return {number if self.start == "contacts" else FORWARD[number] for _, number in named}

    def identity(self, record_id: str) -> str | int:
        """An id as this version writes it."""
        return int(record_id) if self.numbers_as_ids else record_id


class Associations:
    """Handlers of /crm/associations/{version}/{from}/{to} and of the associations below a record."""

    def __init__(self, portal: Portal, writer: Writer) -> None:
        self.portal = portal
        self.writer = writer

    def add_routes(self, app: web.Application) -> None:
        """The forms of the dated versions, of v3 and of v4."""
        for prefix in SINGLE:
            app.add_routes(
                [
                    web.get(f"{prefix}/{{to}}", self.show),
                    web.put(f"{prefix}/default/{{to}}/{{other}}", self.put_default),
                    web.put(f"{prefix}/{{to}}/{{other}}", self.put),
                    web.delete(f"{prefix}/{{to}}/{{other}}", self.delete),
                    web.put(f"{prefix}/{{to}}/{{other}}/{{number}}", self.put_numbered),
                    web.delete(f"{prefix}/{{to}}/{{other}}/{{number}}", self.delete_numbered),
                ]
            )
        for prefix in BATCH:
            app.add_routes(
                [
                    web.post(f"{prefix}/batch/read", self.read),
                    web.post(f"{prefix}/batch/create", self.create),
                    web.post(f"{prefix}/batch/associate/default", self.create_default),
                    web.post(f"{prefix}/batch/archive", self.archive),
                    web.post(f"{prefix}/batch/labels/archive", self.archive_labels),
                    web.get(f"{prefix}/labels", self.names),
                ]
            )

    # --- one record ---------------------------------------------------------------------------------------------------

    async def show(self, request: web.Request) -> web.Response:
        """All records on the other side."""
        end = End(request)
        return answer({"results": self._targets(end, self._record(end.start, request.match_info["id"]))})

    def _record(self, kind: str, record_id: str) -> Record:
        """An active record, by a merged id too. Raises 400."""
        record = self.portal.get(kind, record_id)
        if record is None:
            word = SINGULAR[kind].upper()
            context = {
                "INVALID_OBJECT_IDS": [f"{word}={record_id} is not valid"],
                "objectId": [record_id],
                "objectType": [word],
            }
            raise invalid(INVALID, context=context)
        return record

    def _targets(self, end: End, record: Record) -> list[Row]:
        relations = self.portal.relations
        forward = end.start == "contacts"
        held = relations.companies_of(record.id) if forward else relations.contacts_of(record.id)
        return [
            {"toObjectId": end.identity(other), "associationTypes": end.shown(labels)}
            for other, labels in held.items()
            if self.portal.get(end.target, other)
        ]

    async def put(self, request: web.Request) -> web.Response:
        """Relate a pair with labels: 201. The labels sent replace the old ones; the unlabelled type stays."""
        end = End(request)
        try:
            specs = await request.json()
        except json.JSONDecodeError as error:
            raise invalid(f"Invalid input JSON: {error}") from error
        contact, company = self._pair(end, request.match_info["id"], request.match_info["other"])
        labels = end.labels(specs)
        self._replace(contact, company, labels)
        names = [NAMES[label] for label in sorted(labels) if NAMES[label]]
        return answer(self._related(end, contact, company) | {"labels": names}, 201)

    def _pair(self, end: End, start: str, target: str) -> tuple[str, str]:
        """(contact, company) of a call. Raises 400 when one is not there."""
        return end.pair(self._record(end.start, start).id, self._record(end.target, target).id)

    def _replace(self, contact: str, company: str, labels: set[int]) -> None:
        held = self.portal.relations.companies_of(contact).get(company, set())
        outdated = held - labels - {PLAIN}
        if outdated:
            self.writer.unrelate(contact, company, outdated)
        self.writer.relate(contact, company, labels)

    def _related(self, end: End, contact: str, company: str) -> Row:
        start, target = (contact, company) if end.start == "contacts" else (company, contact)
        return {
            "fromObjectTypeId": TYPE_IDS[end.start],
            "fromObjectId": end.identity(start),
            "toObjectTypeId": TYPE_IDS[end.target],
            "toObjectId": end.identity(target),
        }

    async def put_default(self, request: web.Request) -> web.Response:
        """Relate a pair without a label: 200."""
        end = End(request)
        contact, company = self._pair(end, request.match_info["id"], request.match_info["other"])
        self.writer.relate(contact, company, [PLAIN])
        return batch([self._default(end, contact, company)], [], self.portal.now_ms())

    def _default(self, end: End, contact: str, company: str) -> Row:
        row = self._related(end, contact, company)
        return {
            "from": {"id": row["fromObjectId"]},
            "to": {"id": row["toObjectId"]},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": PLAIN if end.start == "contacts" else REVERSE[PLAIN],
            },
        }

    async def put_numbered(self, request: web.Request) -> web.Response:
        """The v3 form: one type in the path."""
        end = End(request)
        contact, company = self._pair(end, request.match_info["id"], request.match_info["other"])
        self.writer.relate(contact, company, end.labels(_numbered(request)))
        return answer(self._related(end, contact, company))

    async def delete(self, request: web.Request) -> web.Response:
        """204; removes everything between the two."""
        contact, company = End(request).pair(request.match_info["id"], request.match_info["other"])
        self.writer.unrelate(contact, company)
        return web.Response(status=204)

    async def delete_numbered(self, request: web.Request) -> web.Response:
        """204; removes one type, and with the unlabelled one everything."""
        end = End(request)
        contact, company = end.pair(request.match_info["id"], request.match_info["other"])
        self.writer.unrelate(contact, company, end.labels(_numbered(request)))
        return web.Response(status=204)

    # --- batches ------------------------------------------------------------------------------------------------------

    async def read(self, request: web.Request) -> web.Response:
        """Records without an association are error rows, not failures."""
        end, results, errors = End(request), [], []
        for one in inputs_of(await body_of(request), MOST_READ, needs=["id"]):
            record = self.portal.get(end.start, str(one["id"]))
            targets = self._targets(end, record) if record else []
            if targets:
                results.append({"from": {"id": str(one["id"])}, "to": targets})
            else:
                errors.append(_none_found(end, str(one["id"])))
        return batch(results, errors, self.portal.now_ms())

    async def create(self, request: web.Request) -> web.Response:
        """Relate pairs; a missing record or type is an error row."""
        end, results, errors = End(request), [], []
        for one in inputs_of(await body_of(request), MOST_CREATED, needs=["from", "to", "types"]):
            try:
                contact, company = self._pair(end, *_ids(one))
                labels = end.labels(one["types"])
            except Fault as error:
                errors.append(error.as_row(None))
                continue
            self.writer.relate(contact, company, labels)
            names = [NAMES[label] for label in sorted(labels) if NAMES[label]]
            results.append(self._related(end, contact, company) | {"labels": names})
        return batch(results, errors, self.portal.now_ms(), made=True)

    async def create_default(self, request: web.Request) -> web.Response:
        """Relate pairs without a label."""
        end, results, errors = End(request), [], []
        for one in inputs_of(await body_of(request), MOST_CREATED, needs=["from", "to"]):
            try:
                contact, company = self._pair(end, *_ids(one))
            except Fault as error:
                errors.append(error.as_row(None))
                continue
            self.writer.relate(contact, company, [PLAIN])
            results.append(self._default(end, contact, company))
        return batch(results, errors, self.portal.now_ms())

    async def archive(self, request: web.Request) -> web.Response:
        """Remove everything between pairs; ``to`` is a list. 204 in v4, 200 with a batch body in the dated versions."""
        end = End(request)
        inputs = inputs_of(await body_of(request), MOST_ARCHIVED, needs=["from", "to"])
        if any(not isinstance(one["to"], list) for one in inputs):
            raise invalid("Invalid input JSON: to must be a list")
        for one in inputs:
            for target in one["to"]:
                self.writer.unrelate(*end.pair(str(one["from"]["id"]), str(target["id"])))
        return self._archived(end)

    def _archived(self, end: End) -> web.Response:
        return web.Response(status=204) if end.numbers_as_ids else batch([], [], self.portal.now_ms())

    async def archive_labels(self, request: web.Request) -> web.Response:
        """Remove labels only; without the primary label the plain association stays."""
        end = End(request)
        for one in inputs_of(await body_of(request), MOST_CREATED, needs=["from", "to", "types"]):
            self.writer.unrelate(*end.pair(*_ids(one)), end.labels(one["types"]))
        return self._archived(end)

    async def names(self, request: web.Request) -> web.Response:
        """The labels that exist between the two."""
        return answer({"results": End(request).shown(NAMES)})


def _numbered(request: web.Request) -> list[Mapping[str, str]]:
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": request.match_info["number"]}]


def _ids(one: Row) -> tuple[str, str]:
    try:
        return str(one["from"]["id"]), str(one["to"]["id"])
    except (KeyError, TypeError) as error:
        raise invalid("Invalid input JSON: from.id and to.id are needed") from error


def _none_found(end: End, record_id: str) -> Row:
    start, target = SINGULAR[end.start], SINGULAR[end.target]
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {target} is associated with {start} {record_id}.",
        "context": {"fromObjectId": [record_id], "fromObjectType": [start], "toObjectType": [target]},
    }
