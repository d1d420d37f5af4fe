"""Errors of the workers. What a handler raises decides what happens to its message.

    WorkerError
    ├── Retry(after)        redelivered after so many seconds (None: the usual backoff)
    ├── Discard(reason)     acknowledged and logged: no retry would help
    └── BrokerError         the broker itself is unavailable
        └── UnroutableError no queue is bound to the topic of a published message

Any other exception is retried with backoff. If the last delivery that the limit allows fails too, even with `Retry`,
the message becomes a dead letter. No message is dropped.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Base class of the errors of `workers`."""


class Retry(WorkerError):  # noqa: N818 - an instruction to the worker, not a failure
    """Redeliver the message `after` seconds, or after the usual backoff if None."""

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Discard(WorkerError):  # noqa: N818 - an instruction to the worker, not a failure
    """Acknowledge the message without handling it; the text is the reason for the log."""


class BrokerError(WorkerError):
    """The broker is unavailable or has refused a message; the cause is chained."""


class UnroutableError(BrokerError):
    """The broker has returned a message because no queue is bound to its topic."""
