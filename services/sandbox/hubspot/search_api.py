"""Search: an index that may lag behind the records, with HubSpot's caps. Archived records never appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import Row, answer, invalid
from services.sandbox.hubspot.filters import OPERATORS, sortable
from services.sandbox.hubspot.inbound import body_of, kind_named, kind_of
from services.sandbox.hubspot.objects_api import PREFIXES
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import Record
from services.sandbox.hubspot.views import property_value, record_view

MOST_RESULTS = 10_000
MOST_PAGE = 200
MOST_BODY = 3000
MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL = 5, 6, 18
QUERIED = {
    "contacts": ("firstname", "lastname", "email", "phone", "hs_additional_emails", "fax", "mobilephone", "company"),
    "companies": ("website", "phone", "name", "domain"),
}
Matcher = Callable[[Record], bool]


class Search:
    """POST /crm/objects/{version}/{type}/search."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def add_routes(self, app: web.Application) -> None:
        """Both forms of the path."""
        app.add_routes([web.post(f"{prefix}/search", self.search) for prefix in PREFIXES])

    async def search(self, request: web.Request) -> web.Response:
        """One page of matches, sorted by one rule; oldest first without a rule."""
        kind, body = kind_of(request), await body_of(request)
        if len(await request.text()) > MOST_BODY:
            raise invalid("The request body is longer than 3000 characters")
        limit, after = _whole(body, "limit", 10), _whole(body, "after", 0)
        if not 0 <= limit <= MOST_PAGE:
            raise invalid("limit must be between 0 and 200")
        if after + limit > MOST_RESULTS:
            raise invalid("The paging total may not exceed 10000")
        matches = self._matcher(kind, _groups(body), str(body.get("query") or ""))
        found = self._sorted(kind, [one for one in self._visible(kind) if matches(one)], body.get("sorts") or [])
        names = body.get("properties") or ()
        page = [record_view(self.portal, one, names) for one in found[after : after + limit]]
        result: Row = {"total": len(found), "results": page}
        if after + limit < len(found):
            result["paging"] = {"next": {"after": str(after + limit)}}
        return answer(result)

    def _visible(self, kind: str) -> list[Record]:
        now = self.portal.now_ms()
        known = (record.as_indexed(now) for record in self.portal.active(kind))
        return [record for record in known if record is not None]

    def _matcher(self, kind: str, groups: Sequence[Sequence[Row]], query: str) -> Matcher:
        """Filters of a group together, groups as alternatives; all rules are checked before any record is looked at."""
        rules = [[self._test(kind, one) for one in group] for group in groups]
        words = query.lower().split()

        def matches(record: Record) -> bool:
            if words and not self._contains(record, words):
                return False
            return not rules or any(all(test(record) for test in group) for group in rules)

        return matches

    def _contains(self, record: Record, words: Sequence[str]) -> bool:
        text = " ".join(property_value(self.portal, record, name) or "" for name in QUERIED[record.type]).lower()
        return all(word in text for word in words)

    def _test(self, kind: str, rule: Row) -> Matcher:
        name, test = str(rule.get("propertyName")), OPERATORS.get(str(rule.get("operator")))
        if test is None:
            raise invalid(f"unknown operator {rule.get('operator')}")
        if name.startswith("associations."):
            other = kind_named(name.removeprefix("associations."))
            return lambda record: str(rule.get("value")) in self._related(record, other)
        definition = self.portal.definitions[kind].get(name)
        if definition is None:
            raise invalid(f"There was a problem with the request: property {name} does not exist")
        return lambda record: test(property_value(self.portal, record, name), rule, definition)

    def _related(self, record: Record, other: str) -> Mapping[str, Any]:
        relations = self.portal.relations
        return relations.companies_of(record.id) if other == "companies" else relations.contacts_of(record.id)

    def _sorted(self, kind: str, found: list[Record], sorts: Sequence[Any]) -> list[Record]:
        if not sorts:
            return sorted(found, key=lambda record: record.created_ms)
        if len(sorts) > 1:
            raise invalid("only one sort is supported")
        rule = {"propertyName": sorts[0]} if isinstance(sorts[0], str) else sorts[0]
        name = rule.get("propertyName")
        if name not in self.portal.definitions[kind]:
            raise invalid(f"There was a problem with the request: property {name} does not exist")
        down = rule.get("direction") == "DESCENDING"
        return sorted(found, key=lambda one: sortable(property_value(self.portal, one, name)), reverse=down)


def _groups(body: Row) -> list[list[Row]]:
    """The filters by group. Raises 400 when there are too many."""
    groups = [group.get("filters") or [] for group in body.get("filterGroups") or []]
    if body.get("filters"):
        groups.append(body["filters"])
    sizes = [len(group) for group in groups]
    if len(sizes) > MOST_GROUPS or any(size > MOST_FILTERS for size in sizes) or sum(sizes) > MOST_IN_ALL:
        raise invalid("Too many filter groups or filters")
    return groups


def _whole(body: Row, name: str, default: int) -> int:
    """A number, also as text. Raises 400."""
    text = str(body.get(name) or default) if body.get(name) != 0 else "0"
    if not text.isdigit():
        raise invalid(f"{name} must be a number")
    return int(text)
