"""Property definitions and what values they allow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

TEXT = {
    "contacts": "email firstname lastname salutation jobtitle phone mobilephone fax company website address city state "
    "zip country industry date_of_birth hubspot_owner_id hs_additional_emails",
    "companies": "name domain hs_additional_domains website phone address address2 city state zip country description "
    "about_us founded_year hubspot_owner_id",
}
READ_ONLY = {
    "contacts": "createdate lastmodifieddate hs_lastmodifieddate hs_object_id hs_merged_object_ids associatedcompanyid",
    "companies": "createdate hs_lastmodifieddate hs_object_id hs_merged_object_ids",
}
INDUSTRIES = ("COMPUTER_SOFTWARE", "RETAIL", "CONSTRUCTION", "HOSPITALITY", "MACHINERY")
STAGES = ("subscriber", "lead", "opportunity", "customer")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")


@dataclass(frozen=True)
class Definition:
    """One property. ``silent`` ones send no events."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    group: str = "contactinformation"
    options: tuple[dict[str, Any], ...] = ()
    unique: bool = False
    read_only: bool = False
    silent: bool = False
    builtin: bool = True
    created_ms: int = field(default=0)

    def as_json(self) -> dict[str, Any]:
        """As the properties API shows it."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "groupName": self.group,
            "options": list(self.options),
            "hasUniqueValue": self.unique,
            "hidden": False,
            "calculated": False,
            "externalOptions": False,
            "archived": False,
            "hubspotDefined": self.builtin,
            "modificationMetadata": {
                "archivable": not self.builtin,
                "readOnlyDefinition": self.builtin,
                "readOnlyValue": self.read_only,
            },
            "formField": True,
        }


def builtin(kind: str) -> dict[str, Definition]:
    """What every account has."""
    found = {name: Definition(name, name) for name in TEXT[kind].split()}
    for name in READ_ONLY[kind].split():
        found[name] = Definition(
            name, name, "datetime" if name.endswith("date") else "string", read_only=True, silent=True
        )
    found["lifecyclestage"] = Definition(
        "lifecyclestage", "Lifecycle Stage", "enumeration", "radio", options=_options(STAGES)
    )
    if kind == "companies":
        found["industry"] = Definition("industry", "Industry", "enumeration", "select", options=_options(INDUSTRIES))
        for name in ("numberofemployees", "annualrevenue"):
            found[name] = Definition(name, name, "number", "number")
    return found


def _options(values: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    return tuple({"label": v, "value": v, "displayOrder": i, "hidden": False} for i, v in enumerate(values))


def custom(body: dict[str, Any], now_ms: int) -> Definition:
    """A property as somebody defines it."""
    return Definition(
        name=body["name"],
        label=body["label"],
        type=body["type"],
        field_type=body["fieldType"],
        group=body["groupName"],
        options=tuple(body.get("options") or ()),
        unique=bool(body.get("hasUniqueValue")),
        silent=bool(body.get("hasUniqueValue")),
        builtin=False,
        created_ms=now_ms,
    )


def fault_of(definition: Definition | None, name: str, value: Any) -> tuple[str, str] | None:
    """Why a value is refused: (code, message); None when it is fine."""
    if definition is None:
        return "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
    if definition.read_only:
        return "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
    text = "" if value is None else str(value)
    if not text:
        return None
    if name == "email" and (not EMAIL.fullmatch(text.strip()) or text.strip().endswith(".test")):
        return "INVALID_EMAIL", f"Email address {text} is invalid"
    if definition.type == "enumeration" and definition.options:
        allowed = [option["value"] for option in definition.options]
        if text not in allowed:
            return "INVALID_OPTION", f"{text} was not one of the allowed options: {allowed}"
    if definition.type == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return "INVALID_INTEGER", f"{text} was not a valid number."
    if len(text) > 65_536:
        return "MAX_LENGTH", f"{name} is too long"
    return None
