"""Take a cancellation seriously that a library has swallowed.

Python 3.11's `asyncio.wait_for`, which the Redis driver uses for every command, returns its result and
forgets a cancellation that arrives in the same turn of the event loop (bpo-37658). A loop around such
calls would then run for ever; it calls `heed_cancellation` once a round.
"""

from __future__ import annotations

import asyncio


def heed_cancellation() -> None:
    """Raise `CancelledError` if the current task was asked to end."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
