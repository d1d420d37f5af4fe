"""Logs: no credential in any of them, in fields or in texts."""

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

from server.config.redaction import redact, redact_text
from server.config.settings import LogSection
from server.operation.logs import set_up_logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "field", ["authorization", "Authorization", "cookie", "set-cookie", "token", "access_token", "password", "secret"]
)
def test_a_field_that_holds_a_credential_is_masked(field: str) -> None:
    """A field named like a credential loses its value, wherever it stands."""
    assert redact(None, "info", {field: "abc", "headers": {field: "abc"}}) == {field: "***", "headers": {field: "***"}}


@pytest.mark.parametrize(
    "text",
    [
        "/connection/websocket?token=abc123secret&x=1",
        "/media/ff/feed.jpg?exp=1&sig=abc123secret",
        "Authorization: Bearer abc123secret",
        "postgresql://me:abc123secret@db/picshare",
        "amqp://me:abc123secret@mq:5672/",
        "Cookie: session=abc123secret; other=abc123secret",
        f"refused {JWT.replace('c2lnbmF0dXJl', 'abc123secret')}",
        "Got more than 8190 bytes when reading: b'picshare_refresh=abc123secret; a=b'",
    ],
)
def test_a_credential_within_a_text_is_masked(text: str) -> None:
    """Tokens, signatures, cookies and passwords are taken out of free text."""
    assert "abc123secret" not in redact_text(text)
    assert "***" in redact_text(text)


@pytest.mark.parametrize("text", ["/api/v1/photos/0QKJX2V8M0000", "tokens were issued", "http://127.0.0.1:8080/a@b"])
def test_ordinary_text_stays(text: str) -> None:
    """What holds no credential is left as it is."""
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
    """A traceback that quotes a token does not carry it into the log, whoever logs it."""
    set_up_logs(LogSection(format="json"), terminal=False)
    try:
        int(JWT)
    except ValueError:
        logging.getLogger("library").exception("broken %s", f"token={JWT}")
    text = capsys.readouterr().err
    assert JWT not in text
    assert "ValueError" in json.loads(text)["exception"]


async def test_bytes_that_are_no_request_are_one_short_event(capsys: pytest.CaptureFixture[str]) -> None:
    """Junk on the port makes no error, no trace, and nothing of what was sent stands in the log."""
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


def test_a_console_s_trace_is_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The readable form shows no credential either."""
    set_up_logs(LogSection(format="console"), terminal=False)
    try:
        int(JWT)
    except ValueError:
        structlog.get_logger("x").exception("broken")
    text = capsys.readouterr().err
    assert JWT not in text
    assert "ValueError" in text


def test_levels_below_the_configured_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Only events of the configured severity and above are written."""
    set_up_logs(LogSection(level="warning", format="console"), terminal=False)
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("loud")
    text = capsys.readouterr().err
    assert "loud" in text
    assert "quiet" not in text


@pytest.mark.parametrize(
    ("quiet", "terminal", "shown"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_a_person_at_a_terminal_sees_only_what_is_wrong(
    capsys: pytest.CaptureFixture[str], quiet: bool, terminal: bool, shown: bool
) -> None:
    """Where somebody reads what `picshare run` prints, requests and jobs do not scroll it away; warnings stay."""
    set_up_logs(LogSection(), quiet=quiet, terminal=terminal)
    structlog.get_logger("x").info("request")
    structlog.get_logger("x").warning("trouble")
    text = capsys.readouterr().err
    assert ("request" in text) is shown
    assert "trouble" in text


def test_the_service_goes_on_when_nobody_reads_its_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log whose reader has gone away neither raises nor stops anything."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        set_up_logs(LogSection(format="json"), terminal=False)
        os.close(reader)
        structlog.get_logger("x").error("unheard")
        logging.getLogger("library").error("unheard")
        with contextlib.suppress(BrokenPipeError):
            stream.close()
