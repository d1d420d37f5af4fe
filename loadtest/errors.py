"""Errors of a load test; each message is one sentence that the operator can act on.

LoadTestError           the load test cannot run as requested   (exit code 2)
└── StoppedError        it was stopped before anything was measured
"""

from __future__ import annotations


class LoadTestError(Exception):
    """The load test cannot run; the message says why, and what to change."""


class StoppedError(LoadTestError):
    """The operator stopped the load test before there was anything to report."""


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a task group, at any depth."""
    first = group.exceptions[0]
    return first_error(first) if isinstance(first, BaseExceptionGroup) else first
