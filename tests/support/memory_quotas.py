"""Quotas in memory, for tests of what is charged."""

from __future__ import annotations

from collections.abc import Sequence

from storage.limits.quotas import Quota, QuotaPolicy, Quotas


class MemoryQuotas(Quotas):
    """Quotas that record their charges, of which those of the names in `used_up` are refused."""

    def __init__(self, *used_up: str, revoked: bool = False) -> None:
        self._used_up = used_up
        self._revoked = revoked
        self.charged: list[tuple[str, str]] = []
        self.costs: list[int] = []  # of each of them
        self.limits: dict[str, int] = {}

    async def take_all(self, takes: Sequence[tuple[QuotaPolicy, str]], cost: int = 1) -> list[Quota]:
        """Record the charges."""
        self.costs += [cost for _ in takes]
        self.charged += [(policy.name, subject) for policy, subject in takes]
        self.limits |= {subject: policy.limit for policy, subject in takes}
        return [self._quota(policy) for policy, _ in takes]

    async def check_session_and_quota(
        self, policy: QuotaPolicy, user_id: int, session: str, cost: int = 1
    ) -> tuple[Quota, bool]:
        """Record the charge."""
        self.charged.append((policy.name, f"{user_id} {session}"))
        self.costs.append(cost)
        return self._quota(policy), self._revoked

    def _quota(self, policy: QuotaPolicy) -> Quota:
        allowed = policy.name not in self._used_up
        return Quota(allowed=allowed, limit=policy.limit, remaining=0, reset_after=9.0, retry_after=0.2)
