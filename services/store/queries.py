"""Loads the named statements of queries.sql: ``-- name: word`` and a line of purpose before each."""

from __future__ import annotations

from importlib.resources import files

MARK = "-- name: "


def load(text: str) -> dict[str, str]:
    """Statements by name."""
    queries: dict[str, str] = {}
    for block in text.split(MARK)[1:]:
        name, _, body = block.partition("\n")
        queries[name.strip()] = body.strip()
    return queries


QUERIES = load(files("services.store").joinpath("queries.sql").read_text(encoding="utf-8"))
