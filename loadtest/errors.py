"""What keeps a load test from being made.

ServerError
└── LoadTestError       one sentence that a person can act on   (exit code 2)
    └── StoppedError    it was stopped before anything was measured
"""

from __future__ import annotations

from server.errors import ServerError


class LoadTestError(ServerError):
    """Say what is in the way of the load test, and how to clear it."""


class StoppedError(LoadTestError):
    """Say that a person stopped the load test before there was anything to report."""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a task group, however deep it lies."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
