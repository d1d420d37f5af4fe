"""How long to wait: before a message is delivered again, and before a lost connection is tried again."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from workers.broker.port import Policy

RECONNECT_FLOOR = 0.1  # seconds before the first new try
RECONNECT_CEILING = 5.0  # seconds; an engine that is back is found again within this


def delay_after(attempt: int, policy: Policy) -> float:
    """Return the seconds between a failed `attempt` (from 1) and the next: the last step serves all later ones."""
    return float(policy.backoff[min(attempt, len(policy.backoff)) - 1])


def next_hop(steps: Sequence[float], delay: float) -> tuple[float, float]:
    """Split a delay in seconds into one of the fixed `steps` and what remains after it.

    The largest step that fits is taken; below the smallest one that is taken whole, so that no message
    comes back sooner than asked, and none later than the smallest step beyond it. Since the remainder
    travels with the message, no two clocks have to agree.
    """
    ladder = sorted(steps)
    step = next((step for step in reversed(ladder) if step <= delay), ladder[0])
    # Whole milliseconds, rounded up; less than a microsecond is what floating point made.
    return step, max(0, math.ceil((delay - step) * 1000 - 0.001)) / 1000


def reconnect_pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row (from 1): doubling, capped, with half of it jitter."""
    full = min(RECONNECT_CEILING, RECONNECT_FLOOR * 2.0 ** min(failures - 1, 16))
    return full * (0.5 + random.random() / 2)
