"""One log event for each request: method, path, status, duration, client.

The JSON form bypasses the logging pipeline, because this event is the most frequent one: its fields are fixed, and
none can hold a secret (the path has no query), so that there is nothing to mask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import orjson
import structlog

log = structlog.get_logger(__name__)


class AccessRecord(NamedTuple):
    """The fields of a request's event; `user_id` is the id as text, None for visitors."""

    request_id: str
    method: str
    path: str
    status: int
    duration_ms: float
    address: str
    user_id: str | None


class AccessLog(Protocol):
    """A log of requests."""

    def record(self, access: AccessRecord) -> None:
        """Write one event; must not block and must not raise."""
        ...


class EventLog:
    """Access log in the stream of all log events, which adds the request id from the context."""

    def record(self, access: AccessRecord) -> None:
        """Write one event."""
        log.info(
            "request",
            method=access.method,
            path=access.path,
            status=access.status,
            duration_ms=access.duration_ms,
            address=access.address,
            user_id=access.user_id,
        )


class JsonLines:
    """Access log as lines of JSON to `write`, in the format of other events.

    The lines of one iteration of the event loop are written together, at its end: one system call instead of many.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._lines: list[bytes] = []

    def record(self, access: AccessRecord) -> None:
        """Write one line."""
        event = {
            "method": access.method,
            "path": access.path,
            "status": access.status,
            "duration_ms": access.duration_ms,
            "address": access.address,
            "user_id": access.user_id,
            "event": "request",
            "request_id": access.request_id,
            "level": "info",
            "timestamp": datetime.now(UTC),
        }
        options = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(orjson.dumps(event, option=options))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        self._write(b"".join(lines).decode())
