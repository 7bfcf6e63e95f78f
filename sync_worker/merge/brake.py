"""The delete brake: a sync that suddenly wants to delete many records stops and asks (requirement: 50, 10 %, 5)."""

from __future__ import annotations

from schemas.connections import Connection


def brake_trips(due: int, executed_last_hour: int, links: int, connection: Connection) -> bool:
    """Whether ``due`` deletes may not go out now. ``executed_last_hour`` counts those already sent, ``links`` all of
    the type.

    More than ``delete_brake_max`` stops; so does more than ``delete_brake_percent`` of the links, once more than
    ``delete_brake_min`` deletes are due, so that a single delete in a small account goes through.
    """
    total = due + executed_last_hour
    if total > connection.delete_brake_max:
        return True
    return total > connection.delete_brake_min and total * 100 > links * connection.delete_brake_percent
