"""What becomes of a message once its handler is done: the one decision that both brokers and the log follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from workers.broker.backoff import delay_after
from workers.broker.port import Handler, Message, Policy
from workers.errors import Discard, Retry

ERROR_LENGTH = 2_000  # characters of an error's text that are kept beside a message


class Outcome(StrEnum):
    """How a delivery ended."""

    DONE = "done"
    RETRIED = "retried"
    DISCARDED = "discarded"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The outcome of one delivery; `delay` (seconds) is for retries, `error` is empty when all went well."""

    outcome: Outcome
    delay: float = 0.0
    error: str = ""


def judge(error: BaseException | None, attempt: int, policy: Policy) -> Verdict:
    """Decide by the error's type; the delivery numbered `policy.delivery_limit` is the last, whatever it asks for."""
    if error is None:
        return Verdict(outcome=Outcome.DONE)
    text = describe(error)
    if isinstance(error, Discard):
        return Verdict(outcome=Outcome.DISCARDED, error=text)
    if attempt >= policy.delivery_limit:
        return Verdict(outcome=Outcome.DEAD, error=text)
    asked = error.after if isinstance(error, Retry) else None
    delay = delay_after(attempt, policy) if asked is None else max(0.0, asked)
    return Verdict(outcome=Outcome.RETRIED, delay=delay, error=text)


async def work(handler: Handler, message: Message, policy: Policy) -> Verdict:
    """Hand a message to its handler and judge how it went; raise only when the task itself is cancelled."""
    try:
        await handler(message)
    except asyncio.CancelledError as error:
        # A driver that lost its connection may say "cancelled" though nobody cancelled us: that is a failure.
        if being_cancelled():
            raise
        return judge(error, message.attempt, policy)
    except Exception as error:  # noqa: BLE001 - the boundary: every failure becomes a verdict, and is kept with it
        return judge(error, message.attempt, policy)
    return judge(None, message.attempt, policy)


def being_cancelled() -> bool:
    """Return whether somebody asked the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def describe(error: BaseException) -> str:
    """Return an error's kind and words, fit for a text column: no NUL, no lone surrogate, bounded."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()[:ERROR_LENGTH]
