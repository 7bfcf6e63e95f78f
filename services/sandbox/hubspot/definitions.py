"""Property definitions: those that every account has (HubSpot default properties) and those that somebody adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

TEXT = {
    "contacts": "email firstname lastname salutation jobtitle fax company website address city state zip country "
    "hs_country_region_code hs_state_code industry date_of_birth",
    "companies": "name domain hs_additional_domains website address address2 city state zip country about_us "
    "founded_year description",
}
PHONES = {"contacts": "phone mobilephone", "companies": "phone"}
NUMBERS = {"contacts": "", "companies": "numberofemployees annualrevenue"}
DATES = {
    "contacts": "createdate lastmodifieddate hs_lastmodifieddate",
    "companies": "createdate hs_lastmodifieddate",
}
READ_ONLY = "hs_object_id hs_merged_object_ids hs_object_source hs_object_source_id"
COMPUTED = {
    "contacts": "associatedcompanyid hs_additional_emails hs_calculated_merged_vids hs_email_domain",
    "companies": "hs_parent_company_id",
}
OPTIONS = {
    "industry": "ACCOUNTING AIRLINES_AVIATION AUTOMOTIVE BANKING CHEMICALS COMPUTER_SOFTWARE CONSTRUCTION DESIGN "
    "EDUCATION_MANAGEMENT ELECTRICAL_ELECTRONIC_MANUFACTURING FARMING FINANCIAL_SERVICES FOOD_PRODUCTION HOSPITALITY "
    "INFORMATION_TECHNOLOGY_AND_SERVICES INSURANCE INTERNET LEGAL_SERVICES LOGISTICS_AND_SUPPLY_CHAIN MACHINERY "
    "MANAGEMENT_CONSULTING MARKETING_AND_ADVERTISING PRINTING REAL_ESTATE RETAIL TEXTILES WHOLESALE",
    "lifecyclestage": "subscriber lead marketingqualifiedlead salesqualifiedlead opportunity customer evangelist other",
    "hs_lead_status": "NEW OPEN IN_PROGRESS OPEN_DEAL UNQUALIFIED ATTEMPTED_TO_CONTACT CONNECTED BAD_TIMING",
    "hs_language": "cs de de-at de-ch de-de en en-gb en-us es fr hu it nl pl sk sl",
}
ENUMERATIONS = {
    "contacts": {"lifecyclestage": "radio", "hs_lead_status": "radio", "hs_language": "select"},
    "companies": {"lifecyclestage": "radio", "hs_lead_status": "radio", "industry": "select"},
}
GROUPS = {"contacts": "contactinformation", "companies": "companyinformation"}
REQUIRED = ("name", "label", "type", "fieldType", "groupName")
FIELD_TYPES = {
    "bool": ("booleancheckbox", "calculation_equation"),
    "date": ("date",),
    "datetime": ("date",),
    "enumeration": ("booleancheckbox", "checkbox", "radio", "select", "calculation_equation"),
    "number": ("number", "calculation_equation"),
    "phone_number": ("phonenumber",),
    "string": ("text", "textarea", "html", "file", "phonenumber", "calculation_equation"),
}


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One property. ``silent`` ones are not subscribed: nothing is sent when they change."""

    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    group: str
    description: str = ""
    options: tuple[Mapping[str, Any], ...] = ()
    external_options: bool = False
    unique: bool = False
    read_only: bool = False
    calculated: bool = False
    silent: bool = False
    builtin: bool = False
    created_ms: int = 0
    updated_ms: int = 0

    @property
    def allowed(self) -> list[str]:
        """The values that records may hold; empty when anything goes."""
        return [str(option["value"]) for option in self.options]


def builtin(kind: str) -> dict[str, Definition]:
    """What every account has."""
    made: dict[str, Definition] = {}

    def add(names: str, type_: str = "string", field_type: str = "text", **more: Any) -> None:
        for name in names.split():
            made[name] = Definition(
                name=name,
                label=name,
                type=type_,
                field_type=field_type,
                group=GROUPS[kind],
                builtin=True,
                **more,
            )

    add(TEXT[kind])
    add(PHONES[kind], "string", "phonenumber")
    add(NUMBERS[kind], "number", "number")
    add("hubspot_owner_id", "enumeration", "select", external_options=True)
    for name, field_type in ENUMERATIONS[kind].items():
        add(name, "enumeration", field_type, options=_options(OPTIONS[name].split()))
    add(DATES[kind], "datetime", "date", read_only=True, silent=True)
    add(READ_ONLY, read_only=True, silent=True)
    add(COMPUTED[kind], calculated=True, silent=True)
    return made


def _options(values: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"label": value, "value": value, "displayOrder": place, "hidden": False} for place, value in enumerate(values)
    )


def custom(body: Mapping[str, Any], now_ms: int) -> Definition:
    """A property as somebody defines it. A unique one is silent: the app cannot have subscribed to it."""
    unique = bool(body.get("hasUniqueValue"))
    return Definition(
        name=body["name"],
        label=body["label"],
        type=body["type"],
        field_type=body["fieldType"],
        group=body["groupName"],
        description=body.get("description", ""),
        options=tuple(body.get("options") or ()),
        unique=unique,
        silent=unique,
        created_ms=now_ms,
        updated_ms=now_ms,
    )


def changed(definition: Definition, body: Mapping[str, Any], now_ms: int) -> Definition:
    """A definition after PATCH: a list of options replaces the old one; uniqueness never changes."""
    return replace(
        definition,
        label=body.get("label", definition.label),
        group=body.get("groupName", definition.group),
        description=body.get("description", definition.description),
        options=tuple(body["options"]) if "options" in body else definition.options,
        updated_ms=now_ms,
    )
