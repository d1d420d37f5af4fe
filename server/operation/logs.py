"""Structured logs: one event a unit of work, on standard error, with secrets taken out."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
from typing import Any, TextIO, cast

import orjson
import structlog

from server.config.redaction import redact
from server.config.settings import LogSection


class LogStream(io.TextIOBase):
    """Standard error for logs: when its reader has gone, the service goes on without them."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> int:
        """Write a text, or drop it when nobody can read it."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Hand on what is buffered."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def close(self) -> None:
        """Do nothing: standard error belongs to the process, and may be closed already when this is collected."""


class MalformedRequests(logging.Filter):
    """Make one short event of what aiohttp logs as an error with a trace: bytes that are no request.

    Anybody can send such bytes, as often as they like; and the trace quotes them, credentials included.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Log the short event instead of a record about bytes that could not be parsed."""
        from aiohttp.http import HttpProcessingError  # noqa: PLC0415 - heavy, and loaded by whoever logs this
        from aiohttp.web import RequestPayloadError  # noqa: PLC0415

        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError | RequestPayloadError):
            return True
        structlog.get_logger(__name__).info("malformed_request", error=type(error).__name__)
        return False


def set_up_logs(section: LogSection, *, quiet: bool = False, terminal: bool | None = None) -> None:
    """Send structlog's events and the standard library's records through one pipeline; call once a process.

    With `quiet`, the level `auto` shows on a terminal only what is wrong, so that people read what is printed.
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
    # Traces become text before credentials are taken out of all texts.
    last: list[Any] = [structlog.processors.format_exc_info, redact, renderer]
    # Our own events take the short way to the stream: there is one for each request.
    structlog.configure(
        processors=[*first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, LogStream())),
        cache_logger_on_first_use=True,
    )
    _adopt_library_logs(level, first, last)


def writes_json(section: LogSection) -> bool:
    """Tell whether informative events become lines of JSON on standard error."""
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
    # Attached anew each time, so that it stands once however often logs are set up.
    logging.getLogger("aiohttp.server").filters[:] = [MalformedRequests()]
    # What these libraries say of a lost connection, our own events say with its consequence.
    for name, least in (("aio_pika", logging.CRITICAL), ("aiormq", logging.CRITICAL), ("asyncio", logging.WARNING)):
        logging.getLogger(name).setLevel(max(level, least))


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _level(section: LogSection, *, quiet: bool) -> int:
    if section.level == "auto":
        return logging.WARNING if quiet else logging.INFO
    return logging.getLevelNamesMapping()[section.level.upper()]


def log_task_failures(loop: asyncio.AbstractEventLoop) -> None:
    """Log what no one awaited: exceptions that reach the event loop itself."""
    log = structlog.get_logger(__name__)

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("loop_error", message=context.get("message"), exc_info=error if error is not None else False)

    loop.set_exception_handler(handle)
