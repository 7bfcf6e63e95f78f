"""Search: an index that lags, with HubSpot's caps. Archived records never appear."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from services.sandbox.hubspot.answers import answer, fault, property_value, record_json
from services.sandbox.hubspot.objects import kind_of
from services.sandbox.hubspot.portal import Portal, Record

MOST_RESULTS = 10_000
MOST_PAGE = 200
MOST_BODY = 3000
MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL = 5, 6, 18


class Search:
    """POST /crm/objects/{version}/{type}/search."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def add_routes(self, app: web.Application) -> None:
        """Both forms of the path."""
        app.add_routes(
            [
                web.post("/crm/objects/{version}/{type}/search", self.search),
                web.post("/crm/{version}/objects/{type}/search", self.search),
            ]
        )

    async def search(self, request: web.Request) -> web.Response:
        """One page of matches, sorted by one rule."""
        kind, text = kind_of(request), await request.text()
        if len(text) > MOST_BODY:
            raise fault(400, "request body too long", "VALIDATION_ERROR")
        body = await request.json()
        groups = body.get("filterGroups") or ([{"filters": body["filters"]}] if body.get("filters") else [])
        _check(groups)
        limit, after = int(body.get("limit", 10)), int(body.get("after") or 0)
        if limit > MOST_PAGE or after + limit > MOST_RESULTS:
            raise fault(400, "paging beyond 10000 results or 200 a page is not supported", "VALIDATION_ERROR")
        found = [record for record in self._visible(kind) if self._matches(record, groups)]
        found = self._sorted(found, body.get("sorts") or [])
        page = found[after : after + limit]
        names = body.get("properties") or ()
        result: dict[str, Any] = {
            "total": len(found),
            "results": [record_json(self.portal, one, names) for one in page],
        }
        if after + limit < len(found):
            result["paging"] = {"next": {"after": str(after + limit)}}
        return answer(result)

    def _visible(self, kind: str) -> list[Record]:
        now = self.portal.now_ms()
        return [record for record in self.portal.active(kind) if record.visible_ms <= now]

    def _matches(self, record: Record, groups: list[dict[str, Any]]) -> bool:
        return not groups or any(all(self._fits(record, one) for one in group["filters"]) for group in groups)

    def _fits(self, record: Record, rule: dict[str, Any]) -> bool:
        value = property_value(self.portal, record, rule["propertyName"])
        test = OPERATORS.get(rule["operator"])
        if test is None:
            raise fault(400, f"unknown operator {rule['operator']}", "VALIDATION_ERROR")
        return test(value, rule)

    def _sorted(self, found: list[Record], sorts: list[dict[str, Any]]) -> list[Record]:
        if not sorts:
            return sorted(found, key=lambda record: record.created_ms)
        rule = sorts[0]
        return sorted(
            found,
            key=lambda record: _comparable(property_value(self.portal, record, rule["propertyName"])),
            reverse=rule.get("direction") == "DESCENDING",
        )


def _check(groups: list[dict[str, Any]]) -> None:
    sizes = [len(group["filters"]) for group in groups]
    if len(sizes) > MOST_GROUPS or any(size > MOST_FILTERS for size in sizes) or sum(sizes) > MOST_IN_ALL:
        raise fault(400, "too many filters", "VALIDATION_ERROR")


def _comparable(text: str | None) -> tuple[int, float, str]:
    """Numbers and dates by size, everything else as lower-case text; nothing comes first."""
    if text is None:
        return (0, 0.0, "")
    if text.lstrip("-").replace(".", "", 1).isdigit():
        return (1, float(text), "")
    try:
        return (1, datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000, "")
    except ValueError:
        return (2, 0.0, text.lower())


def _compare(accept: Callable[[Any, Any], bool]) -> Callable[[str | None, dict[str, Any]], bool]:
    return lambda value, rule: value is not None and accept(_comparable(value), _comparable(str(rule["value"])))


def _between(value: str | None, rule: dict[str, Any]) -> bool:
    low, high = _comparable(str(rule["value"])), _comparable(str(rule["highValue"]))
    return value is not None and low <= _comparable(value) <= high


def _in(value: str | None, rule: dict[str, Any]) -> bool:
    return value is not None and value.lower() in [str(one) for one in rule["values"]]


def _token(value: str | None, rule: dict[str, Any]) -> bool:
    return value is not None and str(rule["value"]).strip("*").lower() in value.lower()


OPERATORS: dict[str, Callable[[str | None, dict[str, Any]], bool]] = {
    "EQ": _compare(lambda a, b: bool(a == b)),
    "NEQ": _compare(lambda a, b: bool(a != b)),
    "LT": _compare(lambda a, b: bool(a < b)),
    "LTE": _compare(lambda a, b: bool(a <= b)),
    "GT": _compare(lambda a, b: bool(a > b)),
    "GTE": _compare(lambda a, b: bool(a >= b)),
    "BETWEEN": _between,
    "IN": _in,
    "NOT_IN": lambda value, rule: not _in(value, rule),
    "HAS_PROPERTY": lambda value, _rule: value is not None,
    "NOT_HAS_PROPERTY": lambda value, _rule: value is None,
    "CONTAINS_TOKEN": _token,
    "NOT_CONTAINS_TOKEN": lambda value, rule: not _token(value, rule),
}
