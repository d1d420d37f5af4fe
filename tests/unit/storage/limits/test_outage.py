"""Without Redis tickets, revocations and quotas are unavailable; nothing is allowed by mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from storage.errors import UnavailableError
from storage.limits.quotas import QuotaPolicy, Quotas
from storage.limits.tickets import Tickets
from storage.redis.client import Redis, open_redis

POLICY = QuotaPolicy(name="p", limit=5, window_seconds=60)

CALLS: list[Callable[[Redis], Awaitable[object]]] = [
    lambda redis: Tickets(redis).issue({}, ttl=60),
    lambda redis: Tickets(redis).redeem("ticket"),
    lambda redis: Tickets(redis).keep_for_reconnects("ticket", "key", {}, ttl=60),
    lambda redis: Tickets(redis).reconnect("ticket", "key"),
    lambda redis: Tickets(redis).revoke_session("session", 1, ttl=60),
    lambda redis: Tickets(redis).is_revoked("session", 1),
    lambda redis: Quotas(redis).take(POLICY, "x"),
    lambda redis: Quotas(redis).check_session_and_quota(POLICY, 1, "session"),
]


@pytest.fixture
async def unreachable() -> AsyncIterator[Redis]:
    """A client of a Redis that does not exist."""
    redis = open_redis("unix:///nonexistent/redis.sock")
    yield redis
    await redis.aclose()


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_reports_the_outage(call: Callable[[Redis], Awaitable[object]], unreachable: Redis) -> None:
    """Each call raises `UnavailableError`, which the API answers with 503 and live connections with a reconnect."""
    with pytest.raises(UnavailableError):
        await call(unreachable)
