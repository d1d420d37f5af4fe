"""Charges of rate limits, for errors that have one."""

from __future__ import annotations

from server.identity.rate_limits import Charge
from storage.limits.quotas import Quota, QuotaPolicy


def charge() -> Charge:
    """Return a charge after which something is left."""
    policy = QuotaPolicy(name="sign_in_address", limit=10, window_seconds=60)
    quota = Quota(allowed=True, limit=10, remaining=9, reset_after=6, retry_after=0)
    return Charge(policy=policy, quota=quota)
