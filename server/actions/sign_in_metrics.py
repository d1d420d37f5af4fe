"""What is counted of sign-ins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from server.identity.errors import (
    ChallengeError,
    PasskeyError,
    RateLimitedError,
    SecondFactorRequiredError,
    WrongCodeError,
    WrongCredentialsError,
)

_REFUSED = (WrongCredentialsError, WrongCodeError, PasskeyError, ChallengeError)


class SignInMetrics(Protocol):
    """Counts sign-ins."""

    def sign_in_done(self, *, way: str, outcome: str) -> None:
        """Record a sign-in by a `way`, "password", "code" or "passkey".

        The outcome is "opened" (a session), "code_required", "refused" (wrong, or not valid any more) or "limited".
        """
        ...


class NoSignInMetrics:
    """Records nothing."""

    def sign_in_done(self, *, way: str, outcome: str) -> None:
        """Do nothing."""


@contextmanager
def counted(metrics: SignInMetrics, way: str) -> Iterator[None]:
    """Record the outcome of a sign-in by a way; errors that say nothing about it are not counted."""
    try:
        yield
    except SecondFactorRequiredError:
        metrics.sign_in_done(way=way, outcome="code_required")
        raise
    except _REFUSED:
        metrics.sign_in_done(way=way, outcome="refused")
        raise
    except RateLimitedError:
        metrics.sign_in_done(way=way, outcome="limited")
        raise
    metrics.sign_in_done(way=way, outcome="opened")
