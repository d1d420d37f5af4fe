"""Structured logs: one event per unit of work, on standard error, without secrets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
from typing import Any, TextIO, cast

import orjson
import structlog

from server.config.log import LogSection
from server.config.redaction import redact

# The least severity of the records of each driver; those of asyncpg.pool repeat a failed connect, with a traceback.
_DRIVERS = {
    "aio_pika": logging.CRITICAL,
    "aiormq": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "asyncpg.pool": logging.ERROR,
}


class LogStream(io.TextIOBase):
    """Standard error for logs; if its reader has gone, events are dropped and the service continues."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> int:
        """Write a text, or drop it if the reader has gone."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Flush the buffer."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def close(self) -> None:
        """Do nothing: standard error belongs to the process, and may be closed before this object is collected."""


class MalformedRequests(logging.Filter):
    """Filter that replaces aiohttp's errors about malformed requests by one short event.

    Any client can send such bytes without limit, and the traceback in aiohttp's record quotes them, with credentials.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False and log the event if the record is about a request that could not be parsed."""
        from aiohttp.http import HttpProcessingError  # noqa: PLC0415 - heavy, and loaded already if this is logged
        from aiohttp.web import RequestPayloadError  # noqa: PLC0415

        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | RequestPayloadError):
            return True
        structlog.get_logger(__name__).info("malformed_request", error=type(error).__name__)
        return False


def set_up_logs(section: LogSection, *, quiet: bool = False, terminal: bool | None = None) -> None:
    """Send the events of structlog and the records of `logging` through one pipeline; call once per process.

    With `quiet`, the level `auto` is warning on a terminal, so that requests do not bury what the command prints.
    """
    on_terminal = sys.stderr.isatty() if terminal is None else terminal
    console = section.format == "console" or (section.format == "auto" and on_terminal)
    level = _level(section, quiet=quiet and on_terminal)
    first: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = (
        structlog.dev.ConsoleRenderer(colors=on_terminal) if console else structlog.processors.JSONRenderer(_json)
    )
    # Tracebacks become text first, because credentials are masked in texts.
    last: list[Any] = [structlog.processors.format_exc_info, redact, renderer]
    # Our own events bypass `logging`, which is slow, because there is one per request.
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, LogStream())),
        cache_logger_on_first_use=True,
    )
    _adopt_library_logs(level, first, last)


def writes_json(section: LogSection) -> bool:
    """Return whether events of the level info are written as lines of JSON."""
    as_json = section.format == "json" or (section.format == "auto" and not sys.stderr.isatty())
    return as_json and _level(section, quiet=False) <= logging.INFO


def _adopt_library_logs(level: int, first: list[Any], last: list[Any]) -> None:
    handler = logging.StreamHandler(LogStream())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Assigned rather than added, so that setting up logs again does not attach a second filter.
    logging.getLogger("aiohttp.server").filters[:] = [MalformedRequests()]
    # Our own events report a lost connection with its consequence, so those of the drivers are noise.
    for name, least in _DRIVERS.items():
        logging.getLogger(name).setLevel(max(level, least))


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _level(section: LogSection, *, quiet: bool) -> int:
    if section.level == "auto":
        return logging.WARNING if quiet else logging.INFO
    return logging.getLevelNamesMapping()[section.level.upper()]


def log_task_failures(loop: asyncio.AbstractEventLoop) -> None:
    """Log exceptions that reach the event loop because no task awaited them."""
    log = structlog.get_logger(__name__)

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("loop_error", message=context.get("message"), exc_info=error if error is not None else False)

    loop.set_exception_handler(handle)
