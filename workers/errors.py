"""What a handler raises decides what becomes of its message.

    WorkerError
    ├── Retry(after)        redelivered after so many seconds (None: the usual backoff)
    ├── Discard(reason)     acknowledged and logged: nothing will ever make it right
    └── BrokerError         the broker itself does not answer
        └── UnroutableError no queue wants a message that was to be published

Anything else is retried with backoff. The last delivery that the limit allows ends among the dead letters,
also when it asks for a `Retry`; nothing is dropped.
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


class UnroutableError(BrokerError):
    """Say that the broker handed a message back because no queue wants it."""
