"""Records and definitions as HubSpot shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.sandbox.hubspot.definitions import Definition
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.records import SINGULAR, TYPE_IDS, Record
from services.sandbox.hubspot.values import iso

DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
}


def property_value(portal: Portal, record: Record, name: str) -> str | None:
    """One property as read, computed ones included; None when empty."""
    match name:
        case "hs_object_id":
            return record.id
        case "createdate":
            return iso(record.created_ms)
        case "lastmodifieddate" | "hs_lastmodifieddate":
            return iso(record.modified_ms)
        case "associatedcompanyid" if record.type == "contacts":
            return portal.primary_company(record.id) or None
        case "hs_additional_emails":
            return ";".join(sorted(record.more_emails)) or None
        case "hs_email_domain":
            return record.properties.get("email", "").partition("@")[2] or None
    return record.properties.get(name) or None


def record_view(
    portal: Portal, record: Record, names: Iterable[str] = (), history: Iterable[str] | None = None
) -> dict[str, Any]:
    """A record with its default properties and those asked for; a property without a definition is left out."""
    defined = portal.definitions[record.type]
    wanted = dict.fromkeys([*DEFAULTS[record.type], *(name for name in names if name in defined)])
    who = portal.identity
    body: dict[str, Any] = {
        "id": record.id,
        "properties": {name: property_value(portal, record, name) for name in wanted},
        "createdAt": iso(record.created_ms),
        "updatedAt": iso(record.modified_ms),
        "archived": record.archived,
        "url": f"https://{who.ui_domain}/contacts/{who.portal_id}/record/{TYPE_IDS[record.type]}/{record.id}",
    }
    if record.archived:
        body["archivedAt"] = iso(record.archived_ms)
    if history is not None:
        body["propertiesWithHistory"] = {name: _history(record, name) for name in history if name in defined}
    return body


def _history(record: Record, name: str) -> list[dict[str, Any]]:
    """Newest first."""
    return [
        {"value": one.value, "timestamp": iso(one.at_ms), "sourceType": one.source.type, "sourceId": one.source.id}
        | _user(one.source.id)
        for one in record.history.get(name, [])
    ]


def _user(source_id: str) -> dict[str, int]:
    kind, _, number = source_id.partition(":")
    return {"updatedByUserId": int(number)} if kind == "userId" else {}


def related_view(portal: Portal, record: Record, to_kind: str) -> dict[str, Any]:
    """``associations`` of a single read: one row per label, two for a primary company (seen in the wild)."""
    if record.type == to_kind:
        return {"results": []}
    name = f"{SINGULAR[record.type]}_to_{SINGULAR[to_kind]}"
    to_companies = to_kind == "companies"
    held = portal.relations.companies_of(record.id) if to_companies else portal.relations.contacts_of(record.id)
    rows = [
        {"id": other, "type": name if label == 1 else f"{name}_unlabeled"}
        for other, labels in held.items()
        if portal.get(to_kind, other)
        for label in sorted(labels)
        if label in (1, 279)
    ]
    return {"results": rows}


def definition_view(definition: Definition) -> dict[str, Any]:
    """A property as the properties API shows it."""
    return {
        "name": definition.name,
        "label": definition.label,
        "type": definition.type,
        "fieldType": definition.field_type,
        "groupName": definition.group,
        "description": definition.description,
        "options": list(definition.options),
        "displayOrder": -1,
        "calculated": definition.calculated,
        "externalOptions": definition.external_options,
        "archived": False,
        "hasUniqueValue": definition.unique,
        "hidden": False,
        "formField": not definition.read_only,
        "dataSensitivity": "non_sensitive",
        "createdAt": iso(definition.created_ms),
        "updatedAt": iso(definition.updated_ms),
        "modificationMetadata": {
            "archivable": not definition.builtin,
            "readOnlyDefinition": definition.builtin,
            "readOnlyValue": definition.read_only or definition.calculated,
        },
    } | ({"hubspotDefined": True} if definition.builtin else {})
