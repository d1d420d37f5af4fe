"""The outcome of a delivery: the one decision that both brokers, the log and the metrics follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from storage.cancellation import cancel_requested
from workers.broker.backoff import delay_after
from workers.broker.port import Handler, Message, Policy
from workers.errors import Discard, Retry

ERROR_LENGTH = 2_000  # characters of an error's text that are stored with a message


class JobStatus(StrEnum):
    """The end of a delivery, as metrics label it."""

    DONE = "done"
    RETRIED = "retried"
    DISCARDED = "discarded"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The outcome of one delivery; `delay` (seconds) is that of a retry, `error` is empty after a success."""

    status: JobStatus
    delay: float = 0.0
    error: str = ""


def decide(error: BaseException | None, attempt: int, policy: Policy) -> Outcome:
    """Return the outcome of a delivery that ended with `error`, or well; `attempt` counts from 1."""
    if error is None:
        return Outcome(status=JobStatus.DONE)
    text = error_text(error)
    if isinstance(error, Discard):
        return Outcome(status=JobStatus.DISCARDED, error=text)
    # The limit comes before `Retry`: a handler that always raises one would keep its message for ever.
    if attempt >= policy.delivery_limit:
        return Outcome(status=JobStatus.DEAD, error=text)
    after = error.after if isinstance(error, Retry) else None
    delay = delay_after(attempt, policy) if after is None else max(0.0, after)
    return Outcome(status=JobStatus.RETRIED, delay=delay, error=text)


async def run_handler(handler: Handler, message: Message, policy: Policy) -> Outcome:
    """Pass a message to its handler and return the outcome; raises only when the task itself is cancelled."""
    try:
        await handler(message)
    except asyncio.CancelledError as error:
        # A driver that loses its connection can raise CancelledError in a task that is not cancelled. That is a
        # failure of the job; passed on, it would end the consumer without an error.
        if cancel_requested():
            raise
        return decide(error, message.attempt, policy)
    except Exception as error:  # noqa: BLE001 - the boundary: every failure becomes an outcome, which keeps its text
        return decide(error, message.attempt, policy)
    return decide(None, message.attempt, policy)


def error_text(error: BaseException) -> str:
    """Return an error's type and message, fit for a text column: no NUL, no lone surrogate, bounded."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()[:ERROR_LENGTH]
