"""Rows to links and back."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.links import FieldState, Link

LINK_COLUMNS = """id, connection_id, object_type, hubspot_id, falcana_id, state, fields, hubspot_modified_ms,
    falcana_modified_ms, falcana_version, unverified, erased, parked, reason, row_version, fence"""


def link_of(row: Any) -> Link:
    """A row of the link table as a Link."""
    return msgspec.convert({name: row[name] for name in Link.__struct_fields__}, Link)


def fields_json(fields: dict[str, FieldState]) -> dict[str, Any]:
    """The field memories as plain JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(fields)
    return plain


def open_intents(link: Link) -> bool:
    """Whether a write was announced and not confirmed."""
    return any(state.hubspot.intents or state.falcana.intents for state in link.fields.values())
