"""HubSpot's words and ours: properties to values and back, records to observations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.fields import FALCANA_ID_PROPERTY
from schemas.records import EMPTY, FieldRule, FieldValue, Kind, ObjectType
from schemas.seen import Edit, Presence, SideSeen
from services.canonical import (
    DEFAULT_REGION,
    canonical,
    clean,
    company_name_key,
    country_text,
    domain_of,
    person_name_key,
    vat_is_valid,
)

MODIFIED = {ObjectType.COMPANY: "hs_lastmodifieddate", ObjectType.CONTACT: "lastmodifieddate"}
PARENT_PROPERTY = "associatedcompanyid"
MERGED_IDS = "hs_merged_object_ids"
SALUTATION_TEXT = {"herr": "Herr", "frau": "Frau", "divers": "Divers"}
Rules = tuple[FieldRule, ...]


def property_names(object_type: ObjectType, rules: Rules) -> list[str]:
    """Every property that has to be read for an observation."""
    names = [rule.hubspot for rule in rules if rule.kind is not Kind.PARENT]
    extra = [MODIFIED[object_type], FALCANA_ID_PROPERTY, MERGED_IDS]
    if object_type is ObjectType.CONTACT:
        extra.append(PARENT_PROPERTY)
    else:
        extra.append("domain")
    return list(dict.fromkeys([*names, *extra]))


def time_ms(text: str | None) -> int:
    """A HubSpot date-time (ISO or ms epoch) as milliseconds; 0 for none."""
    if not text:
        return 0
    if text.isdigit():
        return int(text)
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def region_of(properties: Mapping[str, Any]) -> str:
    """The country whose phone numbers may be written without a prefix here."""
    code = canonical(Kind.COUNTRY, str(properties.get("country") or ""))
    return code if len(code) == 2 else DEFAULT_REGION


def value_of(rule: FieldRule, raw: Any, region: str) -> FieldValue:
    """One property as a value. Missing, null and empty are the same."""
    text = clean(str(raw)) if raw is not None else ""
    if not text:
        return EMPTY
    if rule.kind is Kind.OPTION:
        key = dict(rule.options).get(text)
        return FieldValue(key, key) if key else FieldValue(text, f"?{text}")
    canon = canonical(rule.kind, text, region=region)
    if rule.kind in (Kind.COUNTRY, Kind.SALUTATION) and not canon.startswith("?"):
        return FieldValue(canon, canon)
    return FieldValue(text, canon)


def property_of(rule: FieldRule, value: FieldValue) -> str:
    """One value as HubSpot writes it; empty clears."""
    if value.empty:
        return ""
    if rule.kind is Kind.COUNTRY:
        return country_text(value.canon, "en")
    if rule.kind is Kind.SALUTATION:
        return SALUTATION_TEXT.get(value.canon, value.text)
    if rule.kind is Kind.OPTION:
        return {ours: theirs for theirs, ours in rule.options}.get(value.canon, value.text)
    return value.text


def values_of(rules: Rules, properties: Mapping[str, Any], *, only_present: bool = False) -> dict[str, FieldValue]:
    """All mapped properties; with ``only_present`` those that the answer mentions."""
    region = region_of(properties)
    return {
        rule.name: value_of(rule, properties.get(rule.hubspot), region)
        for rule in rules
        if rule.kind is not Kind.PARENT and (not only_present or rule.hubspot in properties)
    }


def returned_values(
    rules: Rules, properties: Mapping[str, Any], sent: Mapping[str, FieldValue]
) -> dict[str, FieldValue]:
    """What a write's answer says of the sent fields; a field that it does not mention is left out.

    An answer shows only what was written, so the country that tells how a phone number reads may be missing from it. A
    text that came back as it was sent therefore keeps the comparable form it was sent with.
    """
    returned = values_of(rules, properties, only_present=True)
    texts = {rule.name: clean(property_of(rule, sent[rule.name])) for rule in rules if rule.name in sent}
    shown = {rule.name: clean(str(properties.get(rule.hubspot) or "")) for rule in rules}
    return {
        name: sent[name] if shown[name] and shown[name] == texts[name] else value
        for name, value in returned.items()
        if name in sent
    }


def seen_of(record: Mapping[str, Any], object_type: ObjectType, rules: Rules, app_id: int) -> SideSeen:
    """A record as an observation."""
    properties = record.get("properties") or {}
    modified_ms = time_ms(properties.get(MODIFIED[object_type]) or record.get("updatedAt"))
    values = values_of(rules, properties)
    return SideSeen(
        presence=Presence.ARCHIVED if record.get("archived") else Presence.PRESENT,
        record_id=str(record["id"]),
        values=values,
        modified_ms=modified_ms,
        edited_ms=modified_ms,
        history=_history(record, rules, app_id),
        marker=str(properties.get(FALCANA_ID_PROPERTY) or ""),
        parent_id=str(properties.get(PARENT_PROPERTY) or ""),
        absorbed_ids=tuple(one for one in str(properties.get(MERGED_IDS) or "").split(";") if one),
        keys=_keys(object_type, properties, values),
    )


def _history(record: Mapping[str, Any], rules: Rules, app_id: int) -> dict[str, tuple[Edit, ...]] | None:
    histories = record.get("propertiesWithHistory")
    if histories is None:
        return None
    region = region_of(record.get("properties") or {})
    found = {}
    for rule in rules:
        entries = histories.get(rule.hubspot) or []
        edits = [
            Edit(
                value=value_of(rule, entry.get("value"), region),
                time_ms=time_ms(entry.get("timestamp")),
                own=entry.get("sourceType") == "INTEGRATION" and str(entry.get("sourceId")) == str(app_id),
            )
            for entry in entries
        ]
        found[rule.name] = tuple(sorted(edits, key=lambda edit: -edit.time_ms))
    return found


def _keys(object_type: ObjectType, properties: Mapping[str, Any], values: Mapping[str, FieldValue]) -> dict[str, str]:
    if object_type is ObjectType.CONTACT:
        first, last = values.get("first_name", EMPTY).canon, values.get("last_name", EMPTY).canon
        keys = {"email": values.get("email", EMPTY).canon, "name": person_name_key(first, last)}
    else:
        vat = values.get("vat_id", EMPTY).canon
        domain = domain_of(str(properties.get("domain") or "")) or domain_of(values.get("website", EMPTY).text)
        name = values.get("name", EMPTY).canon
        keys = {
            "vat_id": vat if vat_is_valid(vat) else "",
            "domain": domain,
            "name": company_name_key(name) if name else "",
        }
    return {key: value for key, value in keys.items() if value}
