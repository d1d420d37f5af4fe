"""What a handler raises decides what becomes of its message.

    WorkerError
    ├── Retry(after)        redelivered after so many seconds (None: the usual backoff)
    ├── Discard(reason)     acknowledged and logged: nothing will ever make it right
    └── BrokerError         the broker itself does not answer

Anything else is retried with backoff up to the delivery limit and then dead-lettered, never dropped.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Stand for anything that `workers` could not do."""


class Retry(WorkerError):  # noqa: N818 - an instruction to the worker, not a failure
    """Ask for another delivery `after` seconds, or after the usual backoff when None."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Discard(WorkerError):  # noqa: N818 - an instruction to the worker, not a failure
    """Ask that the message be forgotten, and say why."""


class BrokerError(WorkerError):
    """Say that the broker does not answer or refused a message; the cause is chained."""
