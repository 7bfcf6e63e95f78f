"""The default mapping: which field of which record is called what on either side (R9, R11, Q10).

German wire names belong to falcana, property names to HubSpot; everything between speaks the ``name`` column.
Properties that begin with ``falcana_`` are ours and are created when a portal is set up.
"""

from __future__ import annotations

from schemas.records import PARENT_FIELD, FieldRule, Kind, ObjectType, System

ONLY_TO_HUBSPOT = (System.HUBSPOT,)

SEGMENTS = (("A", "A"), ("B", "B"), ("C", "C"))

COMPANY_FIELDS: tuple[FieldRule, ...] = (
    FieldRule(name="name", hubspot="name", falcana="name1", required_on=(System.FALCANA,), label="Firma"),
    FieldRule(name="street", hubspot="address", falcana="strasse", label="Straße"),
    FieldRule(name="street2", hubspot="address2", falcana="adresszusatz", label="Adresszusatz"),
    FieldRule(name="postcode", hubspot="zip", falcana="plz", label="PLZ"),
    FieldRule(name="city", hubspot="city", falcana="ort", label="Ort"),
    FieldRule(name="state", hubspot="state", falcana="bundesland", label="Bundesland"),
    FieldRule(name="country", kind=Kind.COUNTRY, hubspot="country", falcana="land", label="Land"),
    FieldRule(name="phone", kind=Kind.PHONE, hubspot="phone", falcana="telefon", label="Telefon"),
    FieldRule(name="website", kind=Kind.URL, hubspot="website", falcana="website", label="Website"),
    FieldRule(name="vat_id", kind=Kind.VAT, hubspot="falcana_uid", falcana="uid_nummer", label="UID-Nummer"),
    FieldRule(
        name="segment",
        kind=Kind.OPTION,
        hubspot="falcana_segment",
        falcana="individualfelder.segment",
        options=SEGMENTS,
        label="Segment",
    ),
    FieldRule(
        name="customer_number",
        hubspot="falcana_kundennummer",
        falcana="kundennummer",
        flows_to=ONLY_TO_HUBSPOT,
        label="Kunden-Nr.",
    ),
)

CONTACT_FIELDS: tuple[FieldRule, ...] = (
    FieldRule(name="salutation", kind=Kind.SALUTATION, hubspot="salutation", falcana="anrede", label="Anrede"),
    FieldRule(name="title", hubspot="falcana_titel", falcana="titel", label="Titel"),
    FieldRule(
        name="title_after", hubspot="falcana_titel_nach", falcana="titel_nachgestellt", label="Titel (nachgestellt)"
    ),
    FieldRule(name="first_name", hubspot="firstname", falcana="vorname", label="Vorname"),
    FieldRule(name="last_name", hubspot="lastname", falcana="nachname", label="Nachname"),
    FieldRule(name="position", hubspot="jobtitle", falcana="position", label="Position"),
    FieldRule(name="department", hubspot="falcana_abteilung", falcana="abteilung", label="Abteilung"),
    FieldRule(name="phone", kind=Kind.PHONE, hubspot="phone", falcana="telefon", label="Telefon"),
    FieldRule(name="mobile", kind=Kind.PHONE, hubspot="mobilephone", falcana="mobil", label="Mobil"),
    FieldRule(name="fax", kind=Kind.PHONE, hubspot="fax", falcana="fax", label="Fax"),
    FieldRule(name="email", kind=Kind.EMAIL, hubspot="email", falcana="email", label="E-Mail"),
    FieldRule(
        name=PARENT_FIELD,
        kind=Kind.PARENT,
        hubspot="associatedcompanyid",
        falcana="adresse_id",
        required_on=(System.FALCANA,),
        label="Adresse",
    ),
)

DEFAULT_FIELDS: dict[ObjectType, tuple[FieldRule, ...]] = {
    ObjectType.COMPANY: COMPANY_FIELDS,
    ObjectType.CONTACT: CONTACT_FIELDS,
}

FALCANA_ID_PROPERTY = "falcana_id"
"""Our unique HubSpot property; creates go through it, so a retry can never create twice."""

HUBSPOT_ID_FIELDS: dict[ObjectType, str] = {
    ObjectType.COMPANY: "hubspot_unternehmen_id",
    ObjectType.CONTACT: "hubspot_kontakt_id",
}
"""The read-only Individualfelder that hold the HubSpot id in falcana (R34, R35)."""
