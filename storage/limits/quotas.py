"""Quotas: how often a subject may do something, counted in Redis so that all processes count together.

The generic cell rate algorithm (`scripts/gcra.lua` names the source) lets a burst of `limit` through and then
one each `window / limit`; a quota costs one small key that expires when it is full again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from storage.ids import BadIdError, decode, encode, slot_group
from storage.limits.tickets import revoked_key
from storage.redis.client import Redis, by_slot, in_order
from storage.redis.scripts import Call, Script


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaPolicy:
    """Allow `limit` requests in `window_seconds`; `name` (letters, digits, - and _) tells policies apart."""

    name: str
    limit: int
    window_seconds: float

    @property
    def window(self) -> int:
        """The window in microseconds."""
        return round(self.window_seconds * 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """What is left: `reset_after` seconds until all is, `retry_after` seconds until the same request would pass."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float

    @classmethod
    def of(cls, policy: QuotaPolicy, answer: Sequence[int]) -> Quota:
        """Return the quota of a script's answer."""
        allowed, remaining, reset, retry = answer
        return cls(
            allowed=bool(allowed),
            limit=policy.limit,
            remaining=remaining,
            reset_after=reset / 1_000_000,
            retry_after=retry / 1_000_000,
        )

    @property
    def retry_after_whole(self) -> int:
        """`retry_after` in whole seconds, rounded up, as the HTTP field wants it."""
        return math.ceil(self.retry_after)


class Quotas:
    """Count requests; raises `UnavailableError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = Script("limits/gcra", "limits/quota")
        self._session_and_quota = Script("limits/gcra", "limits/session_and_quota")

    async def take(self, policy: QuotaPolicy, subject: str, cost: int = 1) -> Quota:
        """Charge `cost` to one subject, unless that is more than is left.

        A subject is any text (an address, a name, `user_subject`); no text can reach another key.
        """
        return (await self.take_all([(policy, subject)], cost))[0]

    async def take_all(self, takes: Sequence[tuple[QuotaPolicy, str]], cost: int = 1) -> list[Quota]:
        """Charge `cost` to several at once: if one of them is used up, none is charged.

        So whoever floods one account's sign-in is stopped by the quota of the address without using up the account's.
        """
        keys = [quota_key(policy, subject) for policy, subject in takes]
        groups = by_slot(self._redis, keys)
        figures = [(policy.limit, policy.window) for policy, _ in takes]

        async def judge(*, charge: bool) -> list[Quota]:
            calls: list[Call] = [
                ([keys[at] for at in group], (cost, int(charge), *(each for at in group for each in figures[at])))
                for group in groups
            ]
            answers = in_order(groups, await self._script.run_many(self._redis, calls))
            return [Quota.of(policy, answer) for (policy, _), answer in zip(takes, answers, strict=True)]

        if len(groups) > 1:
            # On a cluster they cannot be charged in one step: each is looked at before any is charged. What comes
            # between the two may cost a request that is refused one charge; none passes that should not.
            seen = await judge(charge=False)
            if not all(quota.allowed for quota in seen):
                return seen
        return await judge(charge=True)

    async def check_session_and_quota(self, policy: QuotaPolicy, user_id: int, session: str) -> tuple[Quota, bool]:
        """Charge one request; return the quota, and whether the session was revoked, which charges nothing.

        Every request of a signed-in user needs both, so both come in one round trip.
        """
        keys = [revoked_key(session, user_id), user_quota_key(policy, user_id)]
        revoked, *answer = await self._session_and_quota.run(self._redis, keys, (policy.limit, policy.window))
        return Quota.of(policy, answer), bool(revoked)


def user_subject(user_id: int) -> str:
    """Return the subject of a signed-in person: the id's text; the home feed charges the same one."""
    return encode(user_id)


def user_quota_key(policy: QuotaPolicy, user_id: int) -> bytes:
    """Return the Redis key of a person's quota; it lies in the person's slot group."""
    return b"quota:{%d}:%b:%d" % (slot_group(user_id), policy.name.encode(), user_id)


def quota_key(policy: QuotaPolicy, subject: str) -> bytes:
    """Return the Redis key of a quota: a person's by the person's id, any other subject's by a digest."""
    try:
        return user_quota_key(policy, decode(subject))
    except BadIdError:
        digest = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
        return f"quota:{policy.name}:{digest}".encode()
