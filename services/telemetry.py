"""Logs and numbers. Logs are JSON lines with ids and never a value; unknown keys are dropped, so that none slips in.

Words that we did not write ourselves can hold a value: the messages of exceptions (a database quotes the row), the log
lines of libraries (a request, a future with its result). Of both only the kind and the place are kept.

Metrics carry the prefix ``fsync_``, base units and no ids, names or addresses as labels.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import Counter, Gauge, Histogram

ALLOWED_KEYS = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "connection_id",
        "object_type",
        "link_id",
        "hubspot_id",
        "falcana_id",
        "action",
        "reason",
        "state",
        "result",
        "wrote",
        "fields",
        "causes",
        "category",
        "error",
        "exception",
        "library",
        "place",
        "records",
        "messages",
        "hints",
        "request_id",
        "code",
        "type",
        "outcome",
        "system",
        "sent",
        "seconds",
        "queue",
        "lane",
        "endpoint",
        "attempt",
        "wait_s",
        "host",
        "port",
        "applied",
        "owner",
    ]
)

MOST_CAUSES, MOST_FRAMES = 5, 12

log = structlog.get_logger()

dropped_log_keys_total = Counter("fsync_dropped_log_keys_total", "Log keys left out because nobody allowed them.")

webhook_requests_total = Counter("fsync_webhook_requests_total", "Requests by system and answer.", ["system", "code"])
webhook_events_total = Counter("fsync_webhook_events_total", "Events by type and outcome.", ["type", "outcome"])
webhook_request_duration_seconds = Histogram("fsync_webhook_request_duration_seconds", "From first byte to answer.")
webhook_signature_failures_total = Counter("fsync_webhook_signature_failures_total", "Refused requests.", ["reason"])
webhook_malformed_total = Counter("fsync_webhook_malformed_total", "Signed bodies nobody could read.", ["reason"])

publish_confirm_seconds = Histogram("fsync_publish_confirm_seconds", "From publish to the broker's confirm.")
publish_failures_total = Counter("fsync_publish_failures_total", "Messages the broker did not confirm.")
dead_messages_total = Counter("fsync_dead_messages_total", "Messages refused as unreadable.")

reconcile_total = Counter("fsync_reconcile_total", "Records looked at.", ["direction", "result"])
writes_total = Counter("fsync_writes_total", "Records written.", ["side"])
noop_writes_total = Counter("fsync_noop_writes_total", "Plans that announced a write and sent none; must stay 0.")
echoes_total = Counter("fsync_echoes_total", "Echoes of own writes.", ["action"])
conflicts_total = Counter("fsync_conflicts_total", "Edits that lost against another.", ["winner"])
propagation_lag_seconds = Histogram(
    "fsync_propagation_lag_seconds",
    "From the edit to the write on the other side.",
    ["direction", "path"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 360, 900, 3600),
)
batch_size = Histogram("fsync_batch_size", "Records in one pass.", buckets=(1, 2, 5, 10, 25, 50, 75, 100))

poll_last_success_timestamp_seconds = Gauge(
    "fsync_poll_last_success_timestamp_seconds", "When a listing was last read to the end.", ["object"]
)
poll_pages_total = Counter("fsync_poll_pages_total", "Pages of changes read.")
poll_found_missed_total = Counter("fsync_poll_found_missed_total", "Changes the poller found before an event told.")

api_requests_total = Counter(
    "fsync_api_requests_total", "Calls by system, endpoint and answer.", ["system", "endpoint", "code"]
)
api_request_duration_seconds = Histogram(
    "fsync_api_request_duration_seconds", "Calls to a system.", ["system", "endpoint"]
)
api_limiter_wait_seconds = Histogram("fsync_api_limiter_wait_seconds", "Waits for the shared budget.")


def configure_logging(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """JSON lines on standard error or ``stream``, UTC times, bound ids from the context.

    What libraries say through ``logging`` comes out the same way, from warnings upwards.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[LibraryHandler()], force=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            where_it_broke,
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


class LibraryHandler(logging.Handler):
    """Turns a library's log line into one of ours: who, where and what kind of exception, without its words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        kind = record.exc_info[0] if record.exc_info else None
        place = f"{record.module}:{record.lineno}"
        log.log(record.levelno, "library", library=record.name, place=place, error=kind.__name__ if kind else None)


def where_it_broke(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace ``exc_info`` by the kinds of the exceptions and the places they passed, the innermost last."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    chain: list[str] = []
    while error is not None and len(chain) < MOST_CAUSES:
        frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        chain.append(f"{type(error).__name__} at {' > '.join(places)}")
        error = error.__cause__ or error.__context__
    if chain:
        event["exception"] = " from ".join(chain)
    return event


def only_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out every key that nobody allowed; count it."""
    for key in [key for key in event if key not in ALLOWED_KEYS]:
        del event[key]
        dropped_log_keys_total.inc()
    return event
