"""What a server tells of itself: metrics for Prometheus, and log lines in JSON."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

LOG = logging.getLogger("filmstill.serve")
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"})
_SECONDS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)


class Metrics:
    """The metrics of one server.

    Attributes:
        registry: what `/metrics` shows.
        routed: queries routed, by deployment.
        batch: sizes of batches.
        waiting: queries that nobody works on yet.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "filmstill_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "filmstill_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.routed = Counter(
            "filmstill_queries_routed",
            "Queries routed.",
            ["deployment"],
            registry=self.registry,
        )
        self.batch = Histogram(
            "filmstill_batch_queries",
            "Queries a call of the student.",
            buckets=(1, 2, 3, 4),
            registry=self.registry,
        )
        self.waiting = Gauge(
            "filmstill_queries_waiting", "Queries in the queue.", registry=self.registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = method if method in METHODS else "other", route, status
        if key not in self._children:  # looking them up again costs more than counting
            self._children[key] = (
                self._requests.labels(key[0], route, str(status)),
                self._seconds.labels(route),
            )
        count, time = self._children[key]
        count.inc()
        time.observe(seconds)


class JsonLines(logging.Formatter):
    """Every record as one line of JSON; what a record has in `fields` stands beside the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """Write our log and that of the HTTP server to stderr; for the process that serves."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("filmstill", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
