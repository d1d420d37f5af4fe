"""The ports through which messages are sent to endpoints, and attempts are measured.

The adapter of `Sender` is `workers.webhooks.sending`; both it and the tests' fake pass tests/contract/test_webhooks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

TIMEOUT = 15.0  # seconds from the beginning of an attempt to the end of its response
MAX_RESPONSE = 16 * 1024  # bytes


class SendError(Exception):
    """Raised for an attempt without a usable response; the text is for the endpoint's owner."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """A response with any status; `body` is its beginning, `truncated` if there was more. Names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class Sender(Protocol):
    """Sends messages to addresses of users.

    It follows no redirect, dials only addresses that are allowed, and reads at most `MAX_RESPONSE` bytes of a response.
    """

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send a message and return the response within `TIMEOUT`; raise `SendError` if there is none."""
        ...


class WebhookMetrics(Protocol):
    """Measures attempts and deliveries."""

    def webhook_attempted(self, *, outcome: str, seconds: float) -> None:
        """Record an attempt, which was `delivered`, `failed` or `gone`, and its duration."""
        ...

    def webhook_ended(self, *, state: str) -> None:
        """Record a delivery that needs no further attempt: it is `done`, `failed` or `void`."""
        ...

    def webhooks_due(self, *, oldest_seconds: float, circuits_open: int) -> None:
        """Record for how long the oldest delivery that could be attempted has waited, and how many endpoints pause."""
        ...


class NoWebhookMetrics:
    """Records nothing."""

    def webhook_attempted(self, *, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def webhook_ended(self, *, state: str) -> None:
        """Do nothing."""

    def webhooks_due(self, *, oldest_seconds: float, circuits_open: int) -> None:
        """Do nothing."""
