"""The wake-ups of the relay: a signal over Redis, which processes on all servers of a database receive."""

from __future__ import annotations

from collections.abc import Sequence

from channels.bus.process_signal import Signal
from storage.postgres.notifier import Notify
from storage.redis.client import Redis, redis_errors


def relay_signal(redis: Redis) -> Signal:
    """Return the signal that there are new rows for the relay."""
    return Signal(redis, b"relay")


def notify_relay(redis: Redis) -> Notify:
    """Return the function that wakes the relay; it raises `UnavailableError`."""
    signal = relay_signal(redis)

    async def notify(_queues: Sequence[str]) -> None:
        with redis_errors():
            await signal.send()

    return notify


async def leave_to_polling(_queues: Sequence[str]) -> None:
    """Wake nothing: the relay looks for rows once a second."""
