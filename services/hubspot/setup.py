"""Set up a HubSpot account: our property group and properties, as far as they are missing. Safe to repeat."""

from __future__ import annotations

from typing import Any

from schemas.fields import FALCANA_ID_PROPERTY, SEGMENTS
from schemas.records import ObjectType
from services.crm import Refused
from services.hubspot.errors import whole_call
from services.hubspot.wire import properties
from services.transport import Transport

GROUP = "falcana"


def _text(name: str, label: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "type": "string", "fieldType": "text", "groupName": GROUP, **more}


OURS: dict[ObjectType, tuple[dict[str, Any], ...]] = {
    ObjectType.COMPANY: (
        _text(FALCANA_ID_PROPERTY, "falcana ID", hasUniqueValue=True),
        _text("falcana_uid", "UID-Nummer"),
        _text("falcana_kundennummer", "Kunden-Nr."),
        {
            "name": "falcana_segment",
            "label": "Segment",
            "type": "enumeration",
            "fieldType": "select",
            "groupName": GROUP,
            "options": [
                {"label": f"{key}-Kunde", "value": value, "displayOrder": place, "hidden": False}
                for place, (value, key) in enumerate(SEGMENTS)
            ],
        },
    ),
    ObjectType.CONTACT: (
        _text(FALCANA_ID_PROPERTY, "falcana ID", hasUniqueValue=True),
        _text("falcana_titel", "Titel"),
        _text("falcana_titel_nach", "Titel (nachgestellt)"),
        _text("falcana_abteilung", "Abteilung"),
    ),
}


async def set_up(transport: Transport) -> list[str]:
    """Create what is missing; one line per thing done. Raises CrmError when HubSpot will not."""
    lines = []
    for object_type, definitions in OURS.items():
        group = {"name": GROUP, "label": "falcana", "displayOrder": -1}
        await _create(transport, properties(object_type, "/groups"), group)
        for definition in definitions:
            made = await _create(transport, properties(object_type), definition)
            if not made and definition.get("hasUniqueValue"):
                await _insist_on_unique(transport, properties(object_type, f"/{definition['name']}"))
            lines.append(f"{object_type.value} property {definition['name']}: {'created' if made else 'there already'}")
    return lines


async def _insist_on_unique(transport: Transport, path: str) -> None:
    """Uniqueness is given at birth and never later; without it a repeated create would make a second record."""
    answer = await transport.call("GET", path, endpoint="properties", safe=True)
    if answer.status != 200:
        raise whole_call(answer)
    if not answer.body.get("hasUniqueValue"):
        raise Refused(
            f"the HubSpot property {FALCANA_ID_PROPERTY} exists and is not unique: delete it, then set up again"
        )


async def _create(transport: Transport, path: str, body: dict[str, Any]) -> bool:
    answer = await transport.call("POST", path, endpoint="properties", body=body, safe=True)
    if answer.status == 409:
        return False
    if answer.status not in (200, 201):
        raise whole_call(answer)
    return True
