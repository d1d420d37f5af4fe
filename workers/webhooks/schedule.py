"""When a delivery is attempted again: the example schedule of Standard Webhooks 1.0.0, over 75 hours."""

from __future__ import annotations

_MINUTE, _HOUR = 60.0, 3600.0
# Seconds after each failed attempt. The first attempt is made at once.
DELAYS = (5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
MAX_ATTEMPTS = len(DELAYS) + 1
JITTER = 0.1  # of a delay at most, so that deliveries that failed together do not return together
MAX_RETRY_AFTER = 24 * _HOUR  # a receiver that asks for more is attempted then


def next_delay(attempts: int, *, spread: float, retry_after: float | None = None) -> float | None:
    """Return the seconds until the next attempt after so many, or None after the last one.

    `spread` is a random number from 0 to 1. `retry_after` are the seconds for which the receiver has asked; they only
    lengthen a delay.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    delay = DELAYS[attempts - 1] * (1 + JITTER * spread)
    return delay if retry_after is None else max(delay, min(retry_after, MAX_RETRY_AFTER))
