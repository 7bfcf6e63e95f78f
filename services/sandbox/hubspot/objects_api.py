"""The objects API for single records: list, create, read, update, archive, merge, privacy delete."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Row, answer, fault, invalid, not_found
from services.sandbox.hubspot.inbound import (
    MOST_INPUTS,
    MOST_WITH_HISTORY,
    body_of,
    kind_named,
    kind_of,
    names_of,
    number_of,
    wants_archived,
)
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import Record
from services.sandbox.hubspot.relations import FORWARD, NAMES
from services.sandbox.hubspot.views import record_view, related_view
from services.sandbox.hubspot.writer import Writer

PREFIXES = ("/crm/objects/{version}/{type}", "/crm/{version}/objects/{type}")


def found_by(
    portal: Portal, kind: str, value: str, id_property: str | None = None, archived: bool = False
) -> Record | None:
    """A record by id (merged ids lead to the survivor) or by a unique property. Raises 400 for any other property."""
    if not id_property or id_property == "hs_object_id":
        return portal.get(kind, value, archived)
    if not portal.is_unique(kind, id_property):
        raise invalid(f"{id_property} is not a unique property and cannot be used as idProperty")
    return portal.by_unique(kind, id_property, value, archived)


class Objects:
    """Handlers of /crm/objects/{version}/{type}, and of the same under /crm/v3/objects."""

    def __init__(self, portal: Portal, writer: Writer) -> None:
        self.portal = portal
        self.writer = writer

    def add_routes(self, app: web.Application) -> None:
        """All paths, for the dated versions and for v3."""
        for prefix in PREFIXES:
            app.add_routes(
                [
                    web.get(prefix, self.page),
                    web.post(prefix, self.create),
                    web.post(f"{prefix}/merge", self.merge),
                    web.post(f"{prefix}/gdpr-delete", self.erase),
                    web.get(f"{prefix}/{{id}}", self.read),
                    web.patch(f"{prefix}/{{id}}", self.update),
                    web.delete(f"{prefix}/{{id}}", self.archive),
                ]
            )

    async def page(self, request: web.Request) -> web.Response:
        """A page of records by id; the last page has no ``paging``."""
        kind, limit = kind_of(request), number_of(request, "limit", 10)
        history = names_of(request, "propertiesWithHistory") or None
        most = MOST_WITH_HISTORY if history else MOST_INPUTS
        if not 1 <= limit <= most:
            raise invalid(f"limit must be between 1 and {most}")
        found = self.portal.page(kind, number_of(request, "after", 0), limit + 1, wants_archived(request))
        names = [*names_of(request), *(history or ())]
        body: Row = {"results": [record_view(self.portal, one, names, history) for one in found[:limit]]}
        if len(found) > limit:
            after = found[limit - 1].id
            link = request.url.update_query({"after": after})
            body["paging"] = {"next": {"after": after, "link": str(link)}}
        return answer(body)

    async def read(self, request: web.Request) -> web.Response:
        """One record; an id that was merged away answers with the survivor under its new id."""
        kind, history = kind_of(request), names_of(request, "propertiesWithHistory") or None
        record = self._asked(request, kind, wants_archived(request))
        body = record_view(self.portal, record, names_of(request), history)
        related = names_of(request, "associations")
        if related:
            kinds = [kind_named(name) for name in related]
            body["associations"] = {kind: related_view(self.portal, record, kind) for kind in kinds}
        return answer(body)

    def _asked(self, request: web.Request, kind: str, archived: bool = False) -> Record:
        """The record of the path. Raises 404, with another text when the id is no number."""
        value, id_property = request.match_info["id"], request.query.get("idProperty")
        if not id_property and not value.isdigit():
            text = "Object not found.  objectId are usually numeric."
            raise fault(404, text, "OBJECT_NOT_FOUND", context={"id": [value]})
        record = found_by(self.portal, kind, value, id_property, archived)
        if record is None:
            raise not_found()
        return record

    async def create(self, request: web.Request) -> web.Response:
        """201, 400 naming all bad properties, or 409 for an e-mail that exists."""
        kind, body = kind_of(request), await body_of(request)
        properties = body.get("properties") or {}
        self.writer.check_create(kind, properties)
        links = [self._link(kind, one) for one in body.get("associations") or []]
        record = self.writer.create(kind, properties)
        for other, labels in links:
            pair = (record.id, other) if kind == "contacts" else (other, record.id)
            self.writer.relate(*pair, labels)
        return answer(record_view(self.portal, record, properties), 201)

    def _link(self, kind: str, one: Any) -> tuple[str, set[int]]:
        """One association of a new record: the other record and the labels. Raises 400."""
        other_kind = "companies" if kind == "contacts" else "contacts"
        try:
            other, numbers = str(one["to"]["id"]), [int(spec["associationTypeId"]) for spec in one["types"]]
        except (KeyError, TypeError, ValueError) as error:
            raise invalid("Invalid input JSON: an association needs to.id and types") from error
        target = self.portal.get(other_kind, other)
        labels = {number if kind == "contacts" else FORWARD.get(number, 0) for number in numbers}
        if target is None or not labels <= NAMES.keys():
            raise invalid("One or more associations are invalid", context={"objectId": [other]})
        return target.id, labels

    async def update(self, request: web.Request) -> web.Response:
        """200; unlike a batch, a single update follows merged ids."""
        kind, body = kind_of(request), await body_of(request)
        record, properties = self._asked(request, kind), body.get("properties") or {}
        self.writer.check_update(record, properties)
        self.writer.update(record, properties)
        return answer(record_view(self.portal, record, properties))

    async def archive(self, request: web.Request) -> web.Response:
        """204, also for what is gone already."""
        record = self.portal.get(kind_of(request), request.match_info["id"])
        if record is not None:
            self.writer.archive(record)
        return web.Response(status=204)

    async def merge(self, request: web.Request) -> web.Response:
        """Two records become a third."""
        kind, body = kind_of(request), await body_of(request)
        winner = self.portal.get(kind, str(body.get("primaryObjectId")))
        loser = self.portal.get(kind, str(body.get("objectIdToMerge")))
        if winner is None or loser is None:
            raise not_found()
        if winner is loser:
            raise invalid("Cannot merge an object with itself")
        return answer(record_view(self.portal, self.writer.merge(winner, loser)))

    async def erase(self, request: web.Request) -> web.Response:
        """A privacy deletion; contacts only."""
        kind, body = kind_of(request), await body_of(request)
        if kind != "contacts":
            raise invalid("Only contacts can be deleted for privacy")
        value, id_property = str(body.get("objectId")), body.get("idProperty")
        record = found_by(self.portal, kind, value, id_property) or found_by(
            self.portal, kind, value, id_property, True
        )
        if record is not None:
            self.writer.erase(record)
        return web.Response(status=204)
