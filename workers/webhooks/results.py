"""What the response to a message means, by the status codes of Standard Webhooks 1.0.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from workers.outbound.retry_after import retry_after_of
from workers.webhooks.port import MAX_RESPONSE, Response, SendError

_KEPT = 2_048  # bytes of a response
_GONE = 410
_AS_IT_IS = "identity"  # the encoding of content without any (RFC 9110, section 12.5.3)


class Outcome(StrEnum):
    """Outcome of one attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GONE = "gone"  # the receiver wants no messages any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Result of an attempt: `error` says why it failed, `response` is the beginning of the body as text."""

    outcome: Outcome
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    response: str = ""


def result_of(response: Response | SendError, now: datetime, *, challenge: str | None = None) -> Result:
    """Return the result of an attempt; with a `challenge`, the response has to contain it to be a success."""
    if isinstance(response, SendError):
        return Result(outcome=Outcome.FAILED, error=str(response))
    text = response.body[:_KEPT].decode(errors="replace").replace("\0", "�")
    result = Result(
        outcome=Outcome.DELIVERED,
        status=response.status,
        retry_after=retry_after_of(response.headers.get("retry-after"), now),
        response=text,
    )
    error = _error_of(response, challenge)
    if error is None:
        return result
    outcome = Outcome.GONE if response.status == _GONE else Outcome.FAILED
    return Result(
        outcome=outcome, status=result.status, error=error, retry_after=result.retry_after, response=result.response
    )


def _error_of(response: Response, challenge: str | None) -> str | None:
    if 300 <= response.status < 400:
        return "The receiver redirects, which is not followed. Change the URL of the endpoint."
    if response.status == _GONE:
        return "The receiver wants no more messages (status 410)."
    if not 200 <= response.status < 300:
        return f"The receiver has responded with status {response.status}."
    return _error_of_body(response, challenge)


def _error_of_body(response: Response, challenge: str | None) -> str | None:
    if response.truncated:
        return f"The response has more than {MAX_RESPONSE // 1024} KiB. Return a short one."
    if response.headers.get("content-encoding", _AS_IT_IS).lower() != _AS_IT_IS:
        return "The response is compressed, which the request does not accept. Return it as it is."
    if challenge is not None and not _returns(response.body, challenge):
        return "The response does not contain the challenge of the message."
    return None


def _returns(body: bytes, challenge: str) -> bool:
    """Return whether a response is the challenge itself, or a JSON object with it under this name."""
    if body.strip() == challenge.encode():
        return True
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("challenge") == challenge
