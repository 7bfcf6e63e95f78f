"""The state of one falcana database: Adressen, Ansprechpartner, the change feed, tombstones and custom fields."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TYPES = ("adressen", "ansprechpartner")
TYP = {"adressen": "adresse", "ansprechpartner": "ansprechpartner"}
ID_FIELD = {"adressen": "hubspot_unternehmen_id", "ansprechpartner": "hubspot_kontakt_id"}
OURS = {"typ": "schnittstelle", "id": 900}
PERSON = {"typ": "user", "id": 7}
KINDS = ("firma", "verein", "familie", "privatperson")
MANDATORY = {
    "adressen": ("adressart", "name1", "zustaendiger_user_id", "vertriebsgruppe_id"),
    "ansprechpartner": ("adresse_id",),
}
TEXT = {
    "adressen": "kundennummer name1 name2 name3 strasse adresszusatz plz ort bundesland land telefon mobil fax email "
    "website uid_nummer branche sprache notiz",
    "ansprechpartner": "anrede titel titel_nachgestellt vorname nachname position abteilung telefon mobil fax email "
    "email2 sprache briefanrede notiz",
}
FIXED: dict[str, dict[str, Any]] = {
    "adressen": {"adressart": "firma", "vertriebsstatus": "kunde", "mandant_id": 1},
    "ansprechpartner": {
        "newsletter_status": "orange",
        "hauptansprechpartner": False,
        "inaktiv": False,
        "geburtsdatum": None,
        "privat": {},
    },
}
WRITABLE = {
    "adressen": {
        *TEXT["adressen"].split(),
        "adressart",
        "zustaendiger_user_id",
        "vertriebsgruppe_id",
        "vertriebsstatus",
    },
    "ansprechpartner": {*TEXT["ansprechpartner"].split(), "adresse_id", "inaktiv", "geburtsdatum", "privat"},
}


class Refusal(Exception):
    """A refused operation: status and code of the contract, perhaps the field."""

    def __init__(self, status: int, code: str, feld: str = "", **more: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.feld, self.more = status, code, feld, more

    def as_json(self) -> dict[str, Any]:
        """RFC 7807 with falcana's additions."""
        body: dict[str, Any] = {
            "type": f"https://falcana.example/fehler/{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
        }
        if self.feld:
            row = {"feld": self.feld, "code": self.code, "meldung": self.code, **self.more}
            return body | {"feld": self.feld, "fehler": [row]}
        return body | self.more


@dataclass
class Row:
    """One record with what is not shown: whether it is hidden, and when each field was changed by whom."""

    body: dict[str, Any]
    times: dict[str, dict[str, str]] = field(default_factory=dict)
    hidden: bool = False


def iso(ms: int) -> str:
    """UTC with milliseconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def ms_of(text: str) -> int:
    """The reverse."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


class Database:
    """All records. ``emit`` hears every entry of the feed."""

    def __init__(self, seed: int, emit: Callable[[dict[str, Any]], None]) -> None:
        self.rng = random.Random(seed)
        self.emit = emit
        self.clock_offset_ms = 0
        self.rows: dict[str, dict[int, Row]] = {kind: {} for kind in TYPES}
        self.deleted: dict[str, dict[int, Row]] = {kind: {} for kind in TYPES}
        self.feed: list[dict[str, Any]] = []
        self.tombstones: list[dict[str, Any]] = []
        self.forgotten_seq = 0
        self.writes: list[dict[str, Any]] = []
        self.field_writes = 0
        self.custom_fields = {
            "adressen": [_id_field("adressen"), _segment()],
            "ansprechpartner": [_id_field("ansprechpartner")],
        }
        self._seq = 812_000
        self._ids = {"adressen": 10_000, "ansprechpartner": 55_000}
        self._number = 500_000

    def now_ms(self) -> int:
        """falcana's clock."""
        return time.time_ns() // 1_000_000 + self.clock_offset_ms

    @property
    def seq(self) -> int:
        """The newest sequence number."""
        return self._seq

    def find(self, kind: str, record_id: int) -> Row:
        """A visible record; anything else is 404, hidden ones too."""
        row = self.rows[kind].get(record_id)
        if row is None or row.hidden:
            raise Refusal(404, "nicht_gefunden")
        return row

    def create(
        self, kind: str, data: Mapping[str, Any], who: Mapping[str, Any], *, at_ms: int = 0, quiet: bool = False
    ) -> Row:
        """Make a record. Raises Refusal for what is missing or not allowed."""
        self._check(kind, data, who, creating=True)
        now = at_ms or self.now_ms()
        self._ids[kind] += self.rng.randrange(1, 4)
        body: dict[str, Any] = {"id": self._ids[kind], **copy.deepcopy(FIXED[kind])}
        body |= dict.fromkeys(TEXT[kind].split(), "")
        custom = {one["schluessel"]: None for one in self.custom_fields[kind]}
        body |= {k: v for k, v in data.items() if k in WRITABLE[kind]}
        body["individualfelder"] = custom | dict(data.get("individualfelder") or {})
        if kind == "adressen" and not body["kundennummer"]:
            self._number += 1
            body["kundennummer"] = str(self._number)
        body |= {"erstellt_am": iso(now), "geaendert_am": iso(now), "geaendert_durch": dict(who), "version": 1}
        row = Row(body)
        names = [name for name, _ in flat(body).items() if flat(data).get(name)]
        row.times = {name: {"zeit": iso(now), "durch": str(who["typ"])} for name in names}
        self.rows[kind][body["id"]] = row
        self.field_writes += len(names)
        if not quiet:
            self._tell(kind, row, "angelegt", who, names)
        return row

    def update(self, kind: str, row: Row, data: Mapping[str, Any], who: Mapping[str, Any]) -> None:
        """Change the given keys; identical values change nothing. Raises Refusal."""
        self._check(kind, data, who, creating=False)
        new = {
            name: value for name, value in flat(data).items() if name in flat(row.body) or name.startswith("individual")
        }
        before = flat(row.body)
        changed = [name for name, value in new.items() if (before.get(name) or "") != ("" if value is None else value)]
        if not changed:
            return
        now = max(self.now_ms(), ms_of(row.body["geaendert_am"]) + 1)
        for name in changed:
            _put(row.body, name, new[name])
            row.times[name] = {"zeit": iso(now), "durch": str(who["typ"])}
        row.body |= {"geaendert_am": iso(now), "geaendert_durch": dict(who), "version": row.body["version"] + 1}
        self.field_writes += len(changed)
        self._tell(kind, row, "geaendert", who, changed)

    def _check(self, kind: str, data: Mapping[str, Any], who: Mapping[str, Any], *, creating: bool) -> None:
        for name in MANDATORY[kind]:
            if (creating and not data.get(name)) or (name in data and not data[name]):
                raise Refusal(422, "pflichtfeld_fehlt", name)
        if data.get("adressart") and data["adressart"] not in KINDS:
            raise Refusal(422, "option_unbekannt", "adressart", erlaubt=list(KINDS))
        if (
            kind == "ansprechpartner"
            and data.get("adresse_id")
            and int(data["adresse_id"]) not in self.rows["adressen"]
        ):
            raise Refusal(422, "pflichtfeld_fehlt", "adresse_id")
        for name, value in flat(data).items():
            if isinstance(value, str) and len(value) > 2000:
                raise Refusal(422, "feld_zu_lang", name)
        for key, value in (data.get("individualfelder") or {}).items():
            self._check_custom(kind, key, value, who)

    def _check_custom(self, kind: str, key: str, value: Any, who: Mapping[str, Any]) -> None:
        definition = next((one for one in self.custom_fields[kind] if one["schluessel"] == key), None)
        name = f"individualfelder.{key}"
        if definition is None:
            raise Refusal(422, "feld_unbekannt", name)
        if definition["schreibgeschuetzt"] and who["typ"] not in definition["schreibbar_durch"]:
            raise Refusal(403, "feld_schreibgeschuetzt", name)
        allowed = [one["schluessel"] for one in definition["optionen"] if one["aktiv"]]
        if definition["typ"] == "dropdown" and value and value not in allowed:
            raise Refusal(422, "option_unbekannt", name, erlaubt=allowed)

    def delete(
        self, kind: str, row: Row, who: Mapping[str, Any], grund: str = "geloescht", ziel_id: int | None = None
    ) -> None:
        """Remove a record, leaving a tombstone; an Adresse takes its Ansprechpartner along, them first."""
        if kind == "adressen":
            for person in self._people(row.body["id"]):
                self.delete("ansprechpartner", person, who, grund)
        record_id = row.body["id"]
        self.deleted[kind][record_id] = self.rows[kind].pop(record_id)
        stone = {
            "typ": TYP[kind],
            "id": record_id,
            "adresse_id": row.body.get("adresse_id"),
            "geloescht_am": iso(self.now_ms()),
            "geloescht_durch": dict(who),
            "grund": grund,
            "ziel_id": ziel_id,
            "individualfelder": {ID_FIELD[kind]: row.body["individualfelder"].get(ID_FIELD[kind])},
        }
        self.tombstones.append(stone)
        art = "zusammengefuehrt" if ziel_id else "geloescht"
        self._tell(kind, row, art, who, [], {"ziel_id": ziel_id} if ziel_id else {})

    def _people(self, adresse_id: int) -> list[Row]:
        return [row for row in self.rows["ansprechpartner"].values() if row.body["adresse_id"] == adresse_id]

    def restore(self, kind: str, record_id: int, who: Mapping[str, Any]) -> Row:
        """Bring a deleted record back under its id; its tombstone goes."""
        row = self.deleted[kind].pop(record_id, None)
        if row is None:
            raise Refusal(404, "nicht_gefunden")
        self.rows[kind][record_id] = row
        self.tombstones = [one for one in self.tombstones if (one["typ"], one["id"]) != (TYP[kind], record_id)]
        row.body |= {
            "geaendert_am": iso(self.now_ms()),
            "geaendert_durch": dict(who),
            "version": row.body["version"] + 1,
        }
        self._tell(kind, row, "wiederhergestellt", who, [])
        return row

    def merge(self, kind: str, ziel_id: int, verlierer_id: int, who: Mapping[str, Any]) -> Row:
        """The loser goes into the survivor: people move, a HubSpot id moves if the survivor has none."""
        survivor, loser = self.find(kind, ziel_id), self.find(kind, verlierer_id)
        key = ID_FIELD[kind]
        if not survivor.body["individualfelder"].get(key) and loser.body["individualfelder"].get(key):
            moved = loser.body["individualfelder"][key]
            self.update(kind, survivor, {"individualfelder": {key: moved}}, {"typ": "schnittstelle", "id": 0})
        if kind == "adressen":
            for person in self._people(verlierer_id):
                self.update("ansprechpartner", person, {"adresse_id": ziel_id}, who)
        self.delete(kind, loser, who, "zusammengefuehrt", ziel_id)
        return survivor

    def _tell(
        self,
        kind: str,
        row: Row,
        art: str,
        who: Mapping[str, Any],
        names: list[str],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._seq += self.rng.randrange(1, 4)
        entry = {
            "seq": self._seq,
            "typ": TYP[kind],
            "id": row.body["id"],
            "art": art,
            "version": row.body["version"],
            "zeitpunkt": iso(self.now_ms()) if art != "geaendert" else row.body["geaendert_am"],
            "geaendert_durch": dict(who),
            "felder": names,
            **(more or {}),
        }
        self.feed.append(entry)
        self.emit(entry)


def flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """A record with Individualfelder as ``individualfelder.x``."""
    found = {name: value for name, value in body.items() if name != "individualfelder"}
    return found | {f"individualfelder.{key}": value for key, value in (body.get("individualfelder") or {}).items()}


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    if name.startswith("individualfelder."):
        body["individualfelder"][name.removeprefix("individualfelder.")] = value
    else:
        body[name] = value


def _id_field(kind: str) -> dict[str, Any]:
    bezeichnung = {"de": "Hubspot-ID (nicht editierbar)", "en": "Hubspot ID (read-only)"}
    return _field(
        ID_FIELD[kind], kind, bezeichnung, "einzeilig", schreibgeschuetzt=True, schreibbar_durch=["schnittstelle"]
    )


def _segment() -> dict[str, Any]:
    options = [
        {
            "schluessel": key,
            "bezeichnung": {"de": f"{key}-Kunde", "en": f"{key} customer"},
            "aktiv": True,
            "sortierung": place,
        }
        for place, key in enumerate("ABC", 1)
    ]
    return _field("segment", "adressen", {"de": "Segment", "en": "Segment"}, "dropdown", optionen=options)


def _field(key: str, kind: str, bezeichnung: dict[str, str], typ: str, **more: Any) -> dict[str, Any]:
    return {
        "schluessel": key,
        "bereich": kind,
        "bezeichnung": bezeichnung,
        "typ": typ,
        "pflichtfeld": False,
        "schreibgeschuetzt": False,
        "schreibbar_durch": [],
        "optionen": [],
        "max_laenge": None,
    } | more
