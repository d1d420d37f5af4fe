"""The arithmetic of waiting: before a message is redelivered, and before a lost connection is opened again."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from workers.broker.port import Policy

RECONNECT_FLOOR = 0.1  # seconds before the first attempt
RECONNECT_CEILING = 5.0  # seconds; an engine that is back is found again within this


def delay_after(attempt: int, policy: Policy) -> float:
    """Return the seconds between a failed `attempt` (from 1) and the next; the last step serves all later ones."""
    return float(policy.backoff[min(attempt, len(policy.backoff)) - 1])


def next_delay(steps: Sequence[float], delay: float) -> tuple[float, float]:
    """Split a delay in seconds into one of the fixed `steps` and the remainder after it.

    The largest step that fits is taken. A delay below the smallest step takes that step, so a message comes back no
    sooner than requested, and later by less than the smallest step.
    """
    ascending = sorted(steps)
    step = next((step for step in reversed(ascending) if step <= delay), ascending[0])
    # The remainder travels with the message as a duration, not as a time of day: no two clocks have to agree.
    # It is rounded up to whole milliseconds; less than a microsecond is an error of floating point.
    return step, max(0, math.ceil((delay - step) * 1000 - 0.001)) / 1000


def reconnect_pause(failures: int) -> float:
    """Return the seconds to wait after `failures` in a row (from 1): doubling up to a ceiling, half of it random."""
    full = min(RECONNECT_CEILING, RECONNECT_FLOOR * 2.0 ** min(failures - 1, 16))
    # Without the jitter, processes that lost an engine together would come back together.
    return full * (0.5 + random.random() / 2)
