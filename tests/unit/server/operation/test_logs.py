"""Logs: their format and level, and no credentials in fields or texts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.config.log import LogSection
from server.config.redaction import redact, redact_text
from server.operation.logs import set_up_logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "field",
    [
        "authorization",
        "Authorization",
        "cookie",
        "set-cookie",
        "token",
        "access_token",
        "password",
        "secret",
        "secret_key",
        "session_token",
    ],
)
def test_a_field_that_holds_a_credential_is_masked(field: str) -> None:
    """The value of a field that is named like a credential is masked at any depth."""
    assert redact(None, "info", {field: "abc", "headers": {field: "abc"}}) == {field: "***", "headers": {field: "***"}}


@pytest.mark.parametrize(
    "text",
    [
        "/connection/websocket?token=abc123secret&x=1",
        "/media/ff/feed.jpg?exp=1&sig=abc123secret",
        "Authorization: Bearer abc123secret",
        "postgresql://me:abc123secret@db/picshare",
        "postgresql://me:abc123secret@db-1:5432,db-2:5432/picshare",
        "postgresql://me@db/picshare?sslpassword=abc123secret&sslmode=require",
        "amqp://me:abc123secret@mq:5672/",
        "Cookie: session=abc123secret; other=abc123secret",
        f"refused {JWT.replace('c2lnbmF0dXJl', 'abc123secret')}",
        "https://b.s3.amazonaws.com/k?X-Amz-Expires=900&X-Amz-Signature=abc123secret",
        "https://b.s3.amazonaws.com/k?X-Amz-Security-Token=abc123secret&X-Amz-Expires=900",
        "AWS_SECRET_ACCESS_KEY=abc123secret",
        "Got more than 8190 bytes when reading: b'picshare_refresh=abc123secret; a=b'",
    ],
)
def test_a_credential_within_a_text_is_masked(text: str) -> None:
    """Tokens, signatures, cookies and passwords are masked in free text."""
    assert "abc123secret" not in redact_text(text)
    assert "***" in redact_text(text)


@pytest.mark.parametrize("text", ["/api/v1/photos/0QKJX2V8M0000", "tokens were issued", "http://127.0.0.1:8080/a@b"])
def test_ordinary_text_is_unchanged(text: str) -> None:
    """A text without a credential is not changed."""
    assert redact_text(text) == text


def test_events_are_json_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    """An event is one line of JSON on standard error, with time, level and bound context."""
    set_up_logs(LogSection(format="json"), terminal=False)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("x").info("job_done", queue="media", authorization="Bearer abc")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["queue"], line["request_id"], line["level"]) == ("job_done", "media", "r1", "info")
    assert line["authorization"] == "***"
    assert line["timestamp"].endswith("Z")


def test_exceptions_are_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A token in a traceback is masked, also in records of libraries."""
    set_up_logs(LogSection(format="json"), terminal=False)
    try:
        int(JWT)
    except ValueError:
        logging.getLogger("library").exception("broken %s", f"token={JWT}")
    text = capsys.readouterr().err
    assert JWT not in text
    assert "ValueError" in json.loads(text)["exception"]


async def test_a_malformed_request_is_one_short_event(capsys: pytest.CaptureFixture[str]) -> None:
    """A malformed request is logged as information, without a traceback and without its bytes."""
    set_up_logs(LogSection(format="json"), terminal=False)
    server = TestServer(web.Application())
    await server.start_server(access_log=None)
    for junk in (b"abc123secret /\r\n\r\n", b"GET / HTTP/1.1\r\nCookie: abc123secret" + b"x" * 9000 + b"\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(junk)
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    await server.close()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("malformed_request", "info")] * len(lines)
    assert lines
    assert "abc123secret" not in str(lines)


def test_tracebacks_on_a_console_are_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The console format masks credentials as well."""
    set_up_logs(LogSection(format="console"), terminal=False)
    try:
        int(JWT)
    except ValueError:
        structlog.get_logger("x").exception("broken")
    text = capsys.readouterr().err
    assert JWT not in text
    assert "ValueError" in text


def test_lower_levels_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Only events of the configured level and above are written."""
    set_up_logs(LogSection(level="warning", format="console"), terminal=False)
    structlog.get_logger("x").info("below")
    structlog.get_logger("x").warning("loud")
    text = capsys.readouterr().err
    assert "loud" in text
    assert "below" not in text


@pytest.mark.parametrize(
    ("quiet", "terminal", "shown"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_a_quiet_command_writes_only_warnings_to_a_terminal(
    capsys: pytest.CaptureFixture[str], quiet: bool, terminal: bool, shown: bool
) -> None:
    """With `quiet`, events of the level info are not written to a terminal; warnings are."""
    set_up_logs(LogSection(), quiet=quiet, terminal=terminal)
    structlog.get_logger("x").info("request")
    structlog.get_logger("x").warning("trouble")
    text = capsys.readouterr().err
    assert ("request" in text) is shown
    assert "trouble" in text


def test_a_closed_log_stream_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the reader of the log has gone, writing an event raises no exception."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        set_up_logs(LogSection(format="json"), terminal=False)
        os.close(reader)
        structlog.get_logger("x").error("unread")
        logging.getLogger("library").error("unread")
        with contextlib.suppress(BrokenPipeError):
            stream.close()
