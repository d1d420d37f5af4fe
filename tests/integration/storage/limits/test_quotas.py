"""Quotas, tickets and revocations in Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.limits.quotas import QuotaPolicy, Quotas, quota_key, user_subject
from storage.limits.tickets import Tickets
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

FIVE = QuotaPolicy(name="five", limit=5, window_seconds=100)
FAST = QuotaPolicy(name="fast", limit=10, window_seconds=0.5)


async def test_burst_then_refusal(redis: Any) -> None:
    """A burst up to the limit is allowed; the next request is refused, with the time until one is allowed."""
    quotas = Quotas(redis)
    taken = [await quotas.take(FIVE, "10.0.0.1") for _ in range(7)]
    assert [quota.allowed for quota in taken] == [True] * 5 + [False] * 2
    assert [quota.remaining for quota in taken] == [4, 3, 2, 1, 0, 0, 0]
    assert taken[0].reset_after == pytest.approx(20, abs=0.01)
    assert taken[6].reset_after == pytest.approx(100, abs=2)
    assert taken[6].retry_after == pytest.approx(20, abs=2)
    assert taken[6].retry_after_whole <= 20


async def test_simultaneous_requests_are_counted(redis: Any) -> None:
    """Of a hundred concurrent requests exactly the limit is allowed."""
    quotas = Quotas(redis)
    taken = await asyncio.gather(*(quotas.take(FIVE, "10.0.0.1") for _ in range(100)))
    assert [quota.allowed for quota in taken].count(True) == 5


async def test_quota_refills(redis: Any) -> None:
    """One more request is allowed each window / limit, and the key is gone once the quota is full."""
    quotas = Quotas(redis)
    for _ in range(10):
        assert (await quotas.take(FAST, "x")).allowed

    async def passes() -> bool:
        return (await quotas.take(FAST, "x")).allowed

    assert await eventually(passes)

    async def gone() -> bool:
        return not await commands(redis).exists(quota_key(FAST, "x"))

    assert await eventually(gone)


async def test_quota_when_the_clock_steps_back(redis: Any) -> None:
    """A quota charged before the clock stepped back refills at once, like one that is exhausted now."""
    quotas = Quotas(redis)
    key = quota_key(FAST, "x")
    seconds, micros = map(int, await redis.execute_command("TIME"))
    ahead = (seconds + 3600) * 1_000_000 + micros
    await commands(redis).set(key, ahead, ex=3600)
    refused = await quotas.take(FAST, "x")
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert refused.retry_after == pytest.approx(FAST.window_seconds / FAST.limit, abs=0.001)
    assert refused.reset_after == pytest.approx(FAST.window_seconds, abs=0.001)
    assert 0 < await commands(redis).pttl(key) <= FAST.window_seconds * 1000

    async def passes() -> bool:
        return (await quotas.take(FAST, "x")).allowed

    assert await eventually(passes)


async def test_a_refused_cost_leaves_what_remains(redis: Any) -> None:
    """A cost that exceeds what remains is refused without a charge, with the time until it would be allowed."""
    quotas = Quotas(redis)
    assert (await quotas.take(FIVE, "x", cost=3)).remaining == 2
    for _ in range(2):
        refused = await quotas.take(FIVE, "x", cost=4)
        assert (refused.allowed, refused.remaining) == (False, 2)
        assert refused.retry_after == pytest.approx(40, abs=2)
    assert (await quotas.take(FIVE, "x", cost=2)).remaining == 0


async def test_a_quota_is_kept_until_it_is_full(redis: Any) -> None:
    """A quota that expired earlier would be full again at once; also one that was charged before the clock stepped."""
    quotas = Quotas(redis)
    charged = await quotas.take(FIVE, "x", cost=4)
    assert (charged.allowed, charged.retry_after) == (True, 0)
    assert await commands(redis).pttl(quota_key(FIVE, "x")) == pytest.approx(80_000, abs=2000)
    seconds, _ = map(int, await redis.execute_command("TIME"))
    await commands(redis).set(quota_key(FIVE, "y"), (seconds + 3600) * 1_000_000, ex=3600)
    assert not (await quotas.take(FIVE, "y")).allowed
    assert await commands(redis).pttl(quota_key(FIVE, "y")) == pytest.approx(100_000, abs=2000)


async def test_a_quota_is_counted_in_the_time_of_the_server(redis: Any) -> None:
    """The stored time is that of the server's clock in microseconds, one interval ahead for each request."""
    seconds, micros = map(int, await redis.execute_command("TIME"))
    await Quotas(redis).take(FIVE, "x", cost=2)
    stored = int(await commands(redis).get(quota_key(FIVE, "x")))
    assert stored / 1_000_000 == pytest.approx(seconds + micros / 1_000_000 + 40, abs=2)


async def test_revoked_session_charges_nothing(redis: Any) -> None:
    """The check of a revoked session leaves its user's quota as it is; another session of the user is charged."""
    quotas = Quotas(redis)
    await Tickets(redis).revoke_session("old", 1, ttl=60)
    for _ in range(3):
        quota, revoked = await quotas.check_session_and_quota(FIVE, 1, "old")
        assert (revoked, quota.allowed) == (True, True)
    assert await commands(redis).exists(quota_key(FIVE, user_subject(1))) == 0
    for remaining in (4, 3):
        quota, revoked = await quotas.check_session_and_quota(FIVE, 1, "new")
        assert (revoked, quota.remaining) == (False, remaining)


async def test_session_check_refuses_without_charging(redis: Any) -> None:
    """A refused request of a session in good standing does not make the next one wait longer."""
    quotas = Quotas(redis)
    taken = [(await quotas.check_session_and_quota(FIVE, 1, "s"))[0] for _ in range(9)]
    assert [quota.allowed for quota in taken] == [True] * 5 + [False] * 4
    assert taken[-1].retry_after <= taken[5].retry_after <= 20


async def test_subjects_and_policies_are_independent(redis: Any) -> None:
    """No subject charges another's quota, and no subject's text leads to another key."""
    quotas = Quotas(redis)
    other = QuotaPolicy(name="other", limit=5, window_seconds=100)
    await quotas.take(FIVE, "a", cost=5)
    for policy, subject in ((FIVE, "b"), (other, "a"), (FIVE, "a\r\nDEL x"), (FIVE, "other:a"), (FIVE, "")):
        assert (await quotas.take(policy, subject)).remaining == 4
    assert not (await quotas.take(FIVE, "a")).allowed


async def test_several_are_charged_together_or_not_at_all(redis: Any) -> None:
    """If one quota is exhausted the others are not charged, so a flood from one address locks out no account."""
    quotas = Quotas(redis)
    account = QuotaPolicy(name="account", limit=3, window_seconds=100)
    await quotas.take(FIVE, "1.2.3.4", cost=5)
    for _ in range(3):
        address, user = await quotas.take_all([(FIVE, "1.2.3.4"), (account, "mia")])
        assert (address.allowed, user.allowed) == (False, True)
    address, user = await quotas.take_all([(FIVE, "5.6.7.8"), (account, "mia")])
    assert (address.remaining, user.remaining) == (4, 2)


def test_a_users_quota_is_in_the_users_slot() -> None:
    """A user's quota is in the slot group of the user's other keys."""
    assert quota_key(FIVE, user_subject(1023)) == b"quota:{15}:five:1023"


async def test_ticket_is_used_once(redis: Any) -> None:
    """Of ten concurrent attempts to redeem a ticket, one gets its payload."""
    tickets = Tickets(redis)
    token = await tickets.issue({"user": "mia", "exp": 5}, ttl=60)
    redeemed = await asyncio.gather(*(tickets.redeem(token) for _ in range(10)))
    assert [payload for payload in redeemed if payload] == [{"user": "mia", "exp": 5}]
    assert await tickets.redeem("x" * 5000) is None


async def test_ticket_expires_and_is_stored_as_a_digest(redis: Any) -> None:
    """A ticket expires after its time to live, and read access to Redis does not reveal it."""
    token = await Tickets(redis).issue({}, ttl=60)
    [key] = [key for keys in (await redis.execute_everywhere("KEYS", "ticket:*")).values() for key in keys]
    assert token.encode() not in key
    assert 0 < await commands(redis).ttl(key) <= 60


async def test_revocation(redis: Any) -> None:
    """A revoked session is refused; other sessions of the same user are not."""
    tickets = Tickets(redis)
    await tickets.revoke_session("s1", 1, ttl=60)
    assert await tickets.is_revoked("s1", 1)
    assert not await tickets.is_revoked("s2", 1)
