"""One log event for each request: the sentence of what was asked, by whom, and how it went.

It is written for every request, so the JSON form goes straight to its stream: every field is known here,
and none can hold a secret (the path comes without its query), so there is nothing to mask.
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
    """What is told of a request; `user_id` is the id as text, None for visitors."""

    request_id: str
    method: str
    path: str
    status: int
    duration_ms: float
    address: str
    user_id: str | None


class AccessLog(Protocol):
    """Keep what is told of requests."""

    def record(self, access: AccessRecord) -> None:
        """Write one event; never blocks for long and never fails."""
        ...


class EventLog:
    """Write requests as events among all others; the request id stands in their context."""

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
    """Write requests as lines of JSON through `write`, in the form that other events have.

    What one turn of the event loop has to tell is written at once, at its end.
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
