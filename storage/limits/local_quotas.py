"""Quotas counted in the memory of this process, in place of Redis while that is away.

Each process counts for itself, so an installation of several processes allows as many times the limit as there are
processes. Counts begin at zero with each outage, and are given up with the process.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from storage.limits.quotas import Quota, QuotaPolicy

SUBJECTS = 100_000  # those that were charged last; beyond, the one that was charged first is given up


class LocalQuotas:
    """Counts requests as `Quotas` does, with the same algorithm; never fails."""

    def __init__(self, *, subjects: int = SUBJECTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._subjects = subjects
        self._clock = clock
        # The theoretical arrival time of each subject in seconds, see `lua/gcra.lua`.
        self._arrivals: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take_all(self, takes: Sequence[tuple[QuotaPolicy, str]], cost: int = 1) -> list[Quota]:
        """Charge `cost` to several quotas, or to none if one of them is exhausted."""
        now = self._clock()
        checked = [self._check(policy, subject, cost, now) for policy, subject in takes]
        if all(quota.allowed for quota, _ in checked):
            for (policy, subject), (_, arrival) in zip(takes, checked, strict=True):
                self._store(policy, subject, arrival)
        return [quota for quota, _ in checked]

    def _check(self, policy: QuotaPolicy, subject: str, cost: int, now: float) -> tuple[Quota, float]:
        window, interval = policy.window_seconds, policy.window_seconds / policy.limit
        arrival = max(self._arrivals.get((policy.name, subject), 0.0), now)
        after = arrival + cost * interval
        allowed = after - now <= window + interval / 1000  # the thousandth absorbs rounding
        if allowed:
            arrival = after
        remaining = math.floor((window - (arrival - now)) / interval + 0.001)
        quota = Quota(
            allowed=allowed,
            limit=policy.limit,
            remaining=max(remaining, 0),
            reset_after=arrival - now,
            retry_after=0.0 if allowed else after - now - window,
        )
        return quota, arrival

    def _store(self, policy: QuotaPolicy, subject: str, arrival: float) -> None:
        key = policy.name, subject
        self._arrivals[key] = arrival
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > self._subjects:
            self._arrivals.popitem(last=False)
