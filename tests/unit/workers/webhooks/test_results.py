"""What a response means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.webhooks.port import MAX_RESPONSE, Response, SendError
from workers.webhooks.results import Outcome, result_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def response(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
    """Return a response."""
    return Response(status=status, headers=headers or {}, body=body)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (299, Outcome.DELIVERED),
        (199, Outcome.FAILED),
        (300, Outcome.FAILED),
        (302, Outcome.FAILED),
        (399, Outcome.FAILED),
        (404, Outcome.FAILED),
        (410, Outcome.GONE),
        (429, Outcome.FAILED),
        (500, Outcome.FAILED),
    ],
)
def test_2xx_alone_is_a_success_and_410_ends(status: int, outcome: Outcome) -> None:
    """Each failure has a sentence for the owner."""
    result = result_of(response(status), NOW)
    assert (result.outcome, result.status) == (outcome, status)
    assert (result.error is None) is (outcome is Outcome.DELIVERED)


def test_the_sentence_about_a_redirect_says_how_to_mend_it() -> None:
    """The URL of the endpoint is to be changed."""
    assert "Change the URL" in (result_of(response(302), NOW).error or "")


def test_a_response_without_an_end_is_a_failure() -> None:
    """More is sent than is read: the receiver, or what is in its place, does not respond to a message."""
    endless = Response(status=200, headers={}, body=b"x" * MAX_RESPONSE, truncated=True)
    result = result_of(endless, NOW)
    assert (result.outcome, result.error) == (Outcome.FAILED, "The response has more than 16 KiB. Return a short one.")


@pytest.mark.parametrize(("encoding", "outcome"), [("identity", "delivered"), ("gzip", "failed"), ("Br", "failed")])
def test_a_compressed_response_is_a_failure(encoding: str, outcome: str) -> None:
    """The request accepts none, and what it contains is not looked at."""
    result = result_of(response(200, b"\x1f\x8b", {"content-encoding": encoding}), NOW)
    assert result.outcome == outcome
    assert ("compressed" in (result.error or "")) is (outcome == "failed")


def test_no_response_is_a_failure_with_its_reason() -> None:
    """There is no status then."""
    result = result_of(SendError("No connection."), NOW)
    assert (result.outcome, result.status, result.error) == (Outcome.FAILED, None, "No connection.")


def test_the_beginning_of_the_response_is_kept_as_text() -> None:
    """2 KB of it; what is no UTF-8, and NUL, which a database does not take, are replaced."""
    result = result_of(response(500, b"\xffok\0" + b"x" * MAX_RESPONSE), NOW)
    assert result.response.startswith("\N{REPLACEMENT CHARACTER}ok\N{REPLACEMENT CHARACTER}x")
    assert len(result.response) == 2_048


def test_the_time_that_a_receiver_asks_for_is_read() -> None:
    """From its header Retry-After."""
    assert result_of(response(429, headers={"retry-after": "30"}), NOW).retry_after == 30.0


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b"secret", True),
        (b" secret\n", True),
        (b'{"challenge": "secret"}', True),
        (b'{"challenge": "secret", "more": 1}', True),
        (b'{"challenge": "other"}', False),
        (b'["secret"]', False),
        (b'"secret"', False),
        (b"my secret", False),
        (b"[" * 10_000, False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_a_ping_needs_its_challenge_in_the_response(body: bytes, good: bool) -> None:
    """As the whole text, or in a JSON object under its name."""
    result = result_of(response(200, body), NOW, challenge="secret")
    assert (result.outcome is Outcome.DELIVERED) is good


def test_a_ping_with_another_status_is_a_failure() -> None:
    """Even with the challenge."""
    assert result_of(response(500, b"secret"), NOW, challenge="secret").outcome is Outcome.FAILED
