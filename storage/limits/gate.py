"""The gate of every request by a signed-in person: does the session stand, and is the quota left; one round trip."""

from __future__ import annotations

from storage.limits.quotas import Quota, QuotaPolicy, quota_key, user_subject
from storage.limits.tickets import revoked_key
from storage.redis.client import Redis
from storage.redis.scripts import Script


class Gate:
    """Ask both at once; raises `UnavailableError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = Script("limits/gcra", "limits/gate")

    async def enter(self, policy: QuotaPolicy, user_id: int, session: str) -> tuple[Quota, bool]:
        """Charge one request and return the quota, and whether the session was revoked (which charges nothing)."""
        keys = [revoked_key(session, user_id), quota_key(policy, user_subject(user_id))]
        revoked, *answer = await self._script.run(self._redis, keys, (policy.limit, policy.window))
        return Quota.of(policy, answer), bool(revoked)
