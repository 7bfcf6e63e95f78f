"""falcana's words and ours: wire fields to values and back, records to observations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.fields import HUBSPOT_ID_FIELDS
from schemas.records import EMPTY, FieldRule, FieldValue, Kind, ObjectType
from schemas.seen import FieldTime, Presence, SideSeen
from services.canonical import (
    DEFAULT_REGION,
    canonical,
    clean,
    company_name_key,
    domain_of,
    person_name_key,
    vat_is_valid,
)

CUSTOM = "individualfelder."
OURS = "schnittstelle"
PRIVATE = "privatperson"
Rules = tuple[FieldRule, ...]


def time_ms(text: str | None) -> int:
    """An ISO time as milliseconds; 0 for none."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000) if text else 0


def raw_of(record: Mapping[str, Any], wire: str) -> Any:
    """The raw value of a wire name, also of an Individualfeld."""
    if wire.startswith(CUSTOM):
        return (record.get("individualfelder") or {}).get(wire.removeprefix(CUSTOM))
    return record.get(wire)


def value_of(rule: FieldRule, raw: Any, region: str) -> FieldValue:
    """One wire value as ours. Missing, null and empty are the same."""
    text = clean(str(raw)) if raw is not None else ""
    if not text:
        return EMPTY
    if rule.kind is Kind.OPTION:
        known = {key for _, key in rule.options}
        return FieldValue(text, text if text in known else f"?{text}")
    canon = canonical(rule.kind, text, region=region)
    if rule.kind in (Kind.COUNTRY, Kind.SALUTATION) and not canon.startswith("?"):
        return FieldValue(canon, canon)
    return FieldValue(text, canon)


def body_of(rules: Rules, values: Mapping[str, FieldValue]) -> dict[str, Any]:
    """Values as the keys of a POST or PATCH; empty clears."""
    by_name = {rule.name: rule for rule in rules}
    body: dict[str, Any] = {}
    for name, value in values.items():
        rule = by_name[name]
        text = value.canon if rule.kind in (Kind.COUNTRY, Kind.SALUTATION, Kind.OPTION) else value.text
        if rule.falcana.startswith(CUSTOM):
            body.setdefault("individualfelder", {})[rule.falcana.removeprefix(CUSTOM)] = text or None
        else:
            body[rule.falcana] = text
    return body


def values_of(rules: Rules, record: Mapping[str, Any]) -> dict[str, FieldValue]:
    """All mapped fields of a record."""
    code = canonical(Kind.COUNTRY, str(record.get("land") or ""))
    region = code if len(code) == 2 else DEFAULT_REGION
    return {
        rule.name: value_of(rule, raw_of(record, rule.falcana), region)
        for rule in rules
        if rule.kind is not Kind.PARENT
    }


def returned_values(rules: Rules, record: Mapping[str, Any], sent: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """What a write's answer says of the sent fields. An answer may be as short as id and version.

    A field that it does not mention is left out: that is not an empty one. A text that came back as it was sent keeps
    its comparable form, because the country that tells how a phone number reads may be missing from the answer.
    """
    returned = values_of(rules, record)
    named = {rule.name: raw_of(record, rule.falcana) for rule in rules if rule.name in sent and _mentions(record, rule)}
    return {
        name: sent[name] if raw and clean(str(raw)) == clean(sent[name].text) else returned[name]
        for name, raw in named.items()
        if name in returned
    }


def _mentions(record: Mapping[str, Any], rule: FieldRule) -> bool:
    if rule.falcana.startswith(CUSTOM):
        return rule.falcana.removeprefix(CUSTOM) in (record.get("individualfelder") or {})
    return rule.falcana in record


def seen_of(record: Mapping[str, Any], object_type: ObjectType, rules: Rules) -> SideSeen:
    """A record as an observation."""
    values = values_of(rules, record)
    times = {name: FieldTime(time_ms(one["zeit"]), one.get("durch") == OURS) for name, one in _times(record, rules)}
    return SideSeen(
        presence=Presence.PRESENT,
        record_id=str(record["id"]),
        values=values,
        modified_ms=time_ms(record.get("geaendert_am")),
        edited_ms=_edited_ms(record),
        version=int(record.get("version") or 0),
        field_times=times,
        marker=str((record.get("individualfelder") or {}).get(HUBSPOT_ID_FIELDS[object_type]) or ""),
        parent_id=str(record.get("adresse_id") or ""),
        holder=record.get("adressart") == PRIVATE,
        keys=_keys(object_type, values),
    )


def _times(record: Mapping[str, Any], rules: Rules) -> list[tuple[str, Mapping[str, Any]]]:
    times = record.get("feld_zeiten") or {}
    return [(rule.name, times[rule.falcana]) for rule in rules if rule.falcana in times]


def _edited_ms(record: Mapping[str, Any]) -> int:
    """The last modification that was not ours (Q24), as far as falcana tells."""
    if (record.get("geaendert_durch") or {}).get("typ") != OURS:
        return time_ms(record.get("geaendert_am"))
    foreign = [time_ms(one["zeit"]) for one in (record.get("feld_zeiten") or {}).values() if one.get("durch") != OURS]
    return max(foreign, default=time_ms(record.get("erstellt_am")))


def _keys(object_type: ObjectType, values: Mapping[str, FieldValue]) -> dict[str, str]:
    if object_type is ObjectType.CONTACT:
        first, last = values.get("first_name", EMPTY).canon, values.get("last_name", EMPTY).canon
        keys = {"email": values.get("email", EMPTY).canon, "name": person_name_key(first, last)}
    else:
        vat, name = values.get("vat_id", EMPTY).canon, values.get("name", EMPTY).canon
        keys = {
            "vat_id": vat if vat_is_valid(vat) else "",
            "domain": domain_of(values.get("website", EMPTY).text),
            "name": company_name_key(name) if name else "",
        }
    return {key: value for key, value in keys.items() if value}
