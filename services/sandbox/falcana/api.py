"""The contract "falcana API v1" over HTTP."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from aiohttp import web

from services.sandbox.falcana.state import OURS, TYP, Database, Refusal, Row, iso, ms_of

MOST_MANY = 100
MOST_PAGE = 500
FILTERS = {
    "id",
    "geaendert_seit",
    "geaendert_bis",
    "adressart",
    "email",
    "uid_nummer",
    "domain",
    "limit",
    "cursor",
    "feld_zeiten",
}


def shown(row: Row, request: web.Request | None = None) -> dict[str, Any]:
    """A record as it is read; with field times where they are asked for."""
    if request is not None and request.query.get("feld_zeiten") == "1":
        return {**row.body, "feld_zeiten": row.times}
    return row.body


class Api:
    """Handlers of /api/v1."""

    def __init__(self, database: Database, datenbank: str, faehigkeiten: tuple[str, ...], stale_status: int) -> None:
        self.database = database
        self.datenbank = datenbank
        self.faehigkeiten = faehigkeiten
        self.stale_status = stale_status
        self._answers: dict[str, tuple[str, int, Any]] = {}

    def add_routes(self, app: web.Application) -> None:
        """Every resource."""
        base, kind = "/api/v1", "/api/v1/{kind:adressen|ansprechpartner}"
        app.add_routes(
            [
                web.get(f"{base}/info", self.info),
                web.get(f"{base}/aenderungen", self.changes),
                web.get(f"{base}/geloescht", self.tombstones),
                web.get(f"{base}/individualfelder", self.custom_fields),
                web.get(f"{base}/stammdaten/{{liste}}", self.lists),
                web.post(f"{base}/stapel", self.batch),
                web.get(kind, self.page),
                web.post(kind, self.create),
                web.get(f"{kind}/{{id:\\d+}}", self.read),
                web.patch(f"{kind}/{{id:\\d+}}", self.update),
                web.delete(f"{kind}/{{id:\\d+}}", self.delete),
                web.post(f"{kind}/{{id:\\d+}}/wiederherstellen", self.restore),
                web.post(f"{kind}/{{id:\\d+}}/zusammenfuehren", self.merge),
            ]
        )

    async def info(self, _request: web.Request) -> web.Response:
        """Rights, capabilities and the clock."""
        body = {
            "datenbank": self.datenbank,
            "version": "1.0",
            "mandanten": [{"id": 1}],
            "benutzer": OURS,
            "rechte": ["lesen", "schreiben", "loeschen", "alle_vertriebsgruppen"],
            "faehigkeiten": list(self.faehigkeiten),
            "zeit": iso(self.database.now_ms()),
        }
        return web.json_response(body)

    async def page(self, request: web.Request) -> web.Response:
        """A page by (geaendert_am, id), filtered; an unknown filter is refused, never ignored."""
        kind, query = request.match_info["kind"], request.query
        unknown = [name for name in query if name not in FILTERS and not name.startswith("individualfeld.")]
        if unknown:
            raise Refusal(400, "unbekannter_filter", unknown[0])
        limit = min(int(query.get("limit", "100")), MOST_PAGE)
        rows = [row for row in self.database.rows[kind].values() if not row.hidden and _fits(row.body, query)]
        rows.sort(key=_order)
        if query.get("cursor"):
            after = tuple(json.loads(base64.urlsafe_b64decode(query["cursor"])))
            rows = [row for row in rows if _order(row) > after]
        page = rows[:limit]
        more = base64.urlsafe_b64encode(json.dumps(_order(page[-1])).encode()).decode() if len(rows) > limit else None
        return web.json_response(
            {"daten": [shown(one, request) for one in page], "weiter": more, "stand": self.database.seq}
        )

    async def read(self, request: web.Request) -> web.Response:
        """One record with its version as ETag."""
        row = self.database.find(request.match_info["kind"], int(request.match_info["id"]))
        return web.json_response(shown(row, request), headers={"ETag": f'"{row.body["version"]}"'})

    async def create(self, request: web.Request) -> web.Response:
        """201; under an idempotency key the first answer again."""
        data, key = await request.json(), request.headers.get("Idempotency-Key", "")
        status, body = self._create(request.match_info["kind"], data, key)
        return web.json_response(body, status=status)

    def _create(self, kind: str, data: dict[str, Any], key: str) -> tuple[int, Any]:
        print_of = json.dumps([kind, data], sort_keys=True)
        if key in self._answers:
            before, status, body = self._answers[key]
            if before != print_of:
                raise Refusal(422, "schluessel_wiederverwendet")
            return status, body
        body = self._made(kind, data)
        if key:
            self._answers[key] = (print_of, 201, json.loads(json.dumps(body)))
        return 201, body

    def _made(self, kind: str, data: dict[str, Any]) -> Any:
        person = data.get("ansprechpartner")
        row = self.database.create(kind, data, OURS)
        self._log("create", kind, row.body["id"], data)
        if kind == "adressen" and data.get("adressart") == "privatperson":
            names = (data.get("name1") or "").split(" ", 1)
            person = person if person is not None else {"vorname": names[0], "nachname": names[-1]}
            made = self.database.create("ansprechpartner", {**person, "adresse_id": row.body["id"]}, OURS)
            self._log("create", "ansprechpartner", made.body["id"], person)
            return {**row.body, "ansprechpartner": made.body}
        return row.body

    async def update(self, request: web.Request) -> web.Response:
        """200; needs If-Match."""
        given = request.headers.get("If-Match", "").strip('"')
        kind, record_id = request.match_info["kind"], int(request.match_info["id"])
        row = self._update(kind, record_id, int(given) if given.isdigit() else None, await request.json())
        return web.json_response(row.body, headers={"ETag": f'"{row.body["version"]}"'})

    def _update(self, kind: str, record_id: int, version: int | None, data: dict[str, Any]) -> Row:
        row = self._locked(kind, record_id, version)
        self.database.update(kind, row, data, OURS)
        self._log("update", kind, record_id, data)
        return row

    def _locked(self, kind: str, record_id: int, version: int | None) -> Row:
        row = self.database.find(kind, record_id)
        if version is None:
            raise Refusal(428, "if_match_fehlt")
        if version != row.body["version"]:
            raise Refusal(self.stale_status, "version_konflikt", aktuelle_version=row.body["version"])
        return row

    async def delete(self, request: web.Request) -> web.Response:
        """204; needs If-Match."""
        given = request.headers.get("If-Match", "").strip('"')
        kind = request.match_info["kind"]
        row = self._locked(kind, int(request.match_info["id"]), int(given) if given.isdigit() else None)
        self.database.delete(kind, row, OURS)
        return web.Response(status=204)

    async def restore(self, request: web.Request) -> web.Response:
        """A deleted record, back under its id."""
        row = self.database.restore(request.match_info["kind"], int(request.match_info["id"]), OURS)
        return web.json_response(row.body)

    async def merge(self, request: web.Request) -> web.Response:
        """Two records become one."""
        body = await request.json()
        kind = request.match_info["kind"]
        row = self.database.merge(kind, int(request.match_info["id"]), int(body["verlierer_id"]), OURS)
        return web.json_response(row.body)

    async def batch(self, request: web.Request) -> web.Response:
        """Up to 100 operations in order, not atomic, one answer per ref."""
        operations = (await request.json())["operationen"]
        if "stapel" not in self.faehigkeiten:
            raise Refusal(404, "nicht_gefunden")
        if len(operations) > MOST_MANY:
            raise Refusal(400, "anfrage_ungueltig")
        return web.json_response({"ergebnisse": [self._operation(one) for one in operations]})

    def _operation(self, one: dict[str, Any]) -> dict[str, Any]:
        try:
            if one["methode"] == "POST":
                status, body = self._create(one["ressource"], one["daten"], one.get("idempotenz") or "")
                return {"ref": one["ref"], "status": status, "daten": body}
            if one["methode"] == "PATCH":
                row = self._update(one["ressource"], int(one["id"]), one.get("if_match"), one["daten"])
                return {"ref": one["ref"], "status": 200, "daten": row.body}
            row = self._locked(one["ressource"], int(one["id"]), one.get("if_match"))
            self.database.delete(one["ressource"], row, OURS)
        except Refusal as refusal:
            return {"ref": one["ref"], "status": refusal.status, "fehler": refusal.as_json()}
        return {"ref": one["ref"], "status": 204}

    async def changes(self, request: web.Request) -> web.Response:
        """The change feed, ascending; 410 when the position is older than what is remembered."""
        after, limit = int(request.query.get("nach", "0")), int(request.query.get("limit", "500"))
        if after < self.database.forgotten_seq:
            raise Refusal(410, "stand_veraltet")
        typ = request.query.get("typ")
        found = [one for one in self.database.feed if one["seq"] > after and typ in (None, one["typ"])]
        body = {"daten": found[:limit], "stand": self.database.seq, "mehr": len(found) > limit}
        return web.json_response(body)

    async def tombstones(self, request: web.Request) -> web.Response:
        """Deleted records, by time or by id."""
        query = request.query
        ids = {int(one) for one in query["id"].split(",")} if query.get("id") else None
        since = ms_of(query["seit"]) if query.get("seit") else 0
        found = [
            one
            for one in self.database.tombstones
            if query.get("typ") in (None, one["typ"])
            and (ids is None or one["id"] in ids)
            and ms_of(one["geloescht_am"]) >= since
        ]
        return web.json_response({"daten": found, "weiter": None})

    async def custom_fields(self, request: web.Request) -> web.Response:
        """Definitions of Individualfelder."""
        return web.json_response({"daten": self.database.custom_fields[request.query.get("bereich", "adressen")]})

    async def lists(self, request: web.Request) -> web.Response:
        """Code lists."""
        lists: dict[str, list[dict[str, Any]]] = {
            "laender": [
                {"schluessel": "AT", "bezeichnung": "Österreich"},
                {"schluessel": "DE", "bezeichnung": "Deutschland"},
            ],
            "anreden": [{"schluessel": one} for one in ("herr", "frau", "divers")],
            "branchen": [{"schluessel": "Handel"}],
            "vertriebsgruppen": [{"id": 3, "bezeichnung": "Österreich"}],
            "benutzer": [{"id": 7, "name": "Sabine Muster", "aktiv": True}],
        }
        return web.json_response({"daten": lists.get(request.match_info["liste"], [])})

    def _log(self, op: str, kind: str, record_id: int, data: Any) -> None:
        entry = {"at_ms": self.database.now_ms(), "op": op, "typ": TYP[kind], "id": record_id, "daten": data}
        self.database.writes.append(entry)


def _order(row: Row) -> tuple[str, int]:
    return (row.body["geaendert_am"], row.body["id"])


def _fits(body: dict[str, Any], query: Any) -> bool:
    for name, given in query.items():
        if name in ("limit", "cursor", "feld_zeiten"):
            continue
        if name == "geaendert_seit":
            fits = ms_of(body["geaendert_am"]) >= ms_of(given)
        elif name == "geaendert_bis":
            fits = ms_of(body["geaendert_am"]) <= ms_of(given)
        else:
            fits = _value(body, name) in {one.strip().lower() for one in given.split(",")}
        if not fits:
            return False
    return True


def _value(body: dict[str, Any], name: str) -> str:
    if name == "domain":
        return re.sub(r"^(https?://)?(www\.)?", "", str(body.get("website", "")).lower()).split("/")[0]
    if name.startswith("individualfeld."):
        return str(body["individualfelder"].get(name.removeprefix("individualfeld.")) or "").lower()
    text = str(body.get(name) or "").lower()
    return re.sub(r"[\s.\-]", "", text) if name == "uid_nummer" else text
