"""Whether the running task is to end, also where a driver has hidden that."""

from __future__ import annotations

import asyncio


def cancel_requested() -> bool:
    """Return whether the running task has been asked to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
