"""What is logged holds ids and kinds, never a value: not ours, not an exception's, not a library's."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from services.telemetry import configure_logging, log

CANARY = "canary@example.com"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """A log of its own; what was set up before comes back."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    root.handlers = []
    configure_logging(stream=stream)
    yield stream
    root.handlers, root.level = handlers, level
    structlog.configure(**before)


def only_line(lines: io.StringIO) -> dict[str, Any]:
    """The only line, which must be JSON."""
    assert CANARY not in lines.getvalue()
    (line,) = lines.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def dropped() -> float:
    return REGISTRY.get_sample_value("fsync_dropped_log_keys_total") or 0.0


def test_a_line_is_json_with_a_time_in_utc(lines: io.StringIO) -> None:
    log.info("stored", hints=3)
    line = only_line(lines)

    assert (line["event"], line["level"], line["hints"]) == ("stored", "info", 3)
    assert line["timestamp"].endswith("Z")


def test_a_key_that_nobody_allowed_is_left_out_and_counted(lines: io.StringIO) -> None:
    before = dropped()
    log.info("stored", email=CANARY, body={"email": CANARY}, hints=1)

    assert set(only_line(lines)) == {"event", "level", "timestamp", "hints"}
    assert dropped() == before + 2


def test_ids_bound_to_the_context_are_in_every_line(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1", email=CANARY):
        log.info("stored")

    assert only_line(lines)["request_id"] == "r1"


def test_an_exception_is_its_kind_and_its_place_but_not_its_words(lines: io.StringIO) -> None:
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise RuntimeError(f"Key (email)=({CANARY}) exists") from error
    except RuntimeError:
        log.error("batch_failed", exc_info=True)

    told = only_line(lines)["exception"]
    assert told.startswith("RuntimeError at test_logs.py:")
    assert " from ValueError at test_logs.py:" in told


def test_a_library_is_quoted_without_its_words(lines: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("asyncio").exception("Task failed: %s", CANARY)

    line = only_line(lines)
    assert (line["library"], line["error"], line["level"]) == ("asyncio", "ValueError", "error")


def test_line_breaks_cannot_forge_a_line(lines: io.StringIO) -> None:
    log.info("stored", reason='a\n{"event":"forged"}')

    assert only_line(lines)["event"] == "stored"
