"""falcana's error answers (RFC 7807), by what the caller does next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.crm import CrmError, Denied, Gone, Outdated, Refused, Rejected, Unavailable, Unclear, WriteResult
from services.transport import Answer

STALE = (409, 412)
"""A stale version; some servers of this kind say 409."""


KEY_USED = "schluessel_wiederverwendet"
"""The idempotency key was used before with other values."""


def whole_call(answer: Answer) -> CrmError:
    """The exception for a call that failed as a whole."""
    code = str(answer.body.get("code", "")) if isinstance(answer.body, dict) else ""
    if answer.status in (401, 403):
        return Denied(f"falcana answered {answer.status} {code}")
    if answer.status >= 500:
        return Unavailable(f"falcana answered {answer.status}")
    return Refused(f"falcana answered {answer.status} {code}")


def of_record(ref: int, status: int, fault: Mapping[str, Any]) -> WriteResult:
    """The result for one record, from the status and error of its operation."""
    if status in STALE:
        return Outdated(ref=ref)
    if status == 404:
        return Gone(ref=ref)
    if fault.get("code") == KEY_USED:
        # An earlier attempt under this key did create something: find it by its marker before anything else.
        return Unclear(ref=ref, reason=KEY_USED)
    if status in (422, 403, 428):
        return Rejected(ref=ref, reason=str(fault.get("code", status)), fields=bad_fields(fault))
    if status == 400:
        return Rejected(ref=ref, reason=str(fault.get("code", "anfrage_ungueltig")), fields=bad_fields(fault))
    return Unclear(ref=ref, reason=str(fault.get("code", status)))


def bad_fields(fault: Mapping[str, Any]) -> dict[str, str]:
    """The wire names that an error complains of, with its code for each."""
    rows = [row for row in fault.get("fehler") or [] if row.get("feld")]
    found = {str(row["feld"]): str(row.get("code", "")) for row in rows}
    if not found and fault.get("feld"):
        found[str(fault["feld"])] = str(fault.get("code", ""))
    return found
