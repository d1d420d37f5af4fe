"""Quotas: how often a subject may do something, counted in Redis for all processes together.

The generic cell rate algorithm (`lua/gcra.lua` has the source) allows a burst of `limit`, and then one request every
`window / limit`. A quota takes one small key, which expires when the quota is full again.
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
    """A limit of `limit` requests in `window_seconds`; `name` (letters, digits, - and _) identifies the policy."""

    name: str
    limit: int
    window_seconds: float

    @property
    def window(self) -> int:
        """The window in microseconds."""
        return round(self.window_seconds * 1_000_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """State of a quota; `reset_after` is in seconds until it is full, `retry_after` until the request is allowed."""

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float

    @classmethod
    def of(cls, policy: QuotaPolicy, reply: Sequence[int]) -> Quota:
        """Return the quota of a script's reply."""
        allowed, remaining, reset, retry = reply
        return cls(
            allowed=bool(allowed),
            limit=policy.limit,
            remaining=remaining,
            reset_after=reset / 1_000_000,
            retry_after=retry / 1_000_000,
        )

    @property
    def retry_after_whole(self) -> int:
        """`retry_after` in whole seconds, rounded up, as the HTTP field requires."""
        return math.ceil(self.retry_after)


class Quotas:
    """Counts requests against quotas; raises `UnavailableError` if Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = Script("limits/gcra", "limits/quota")
        self._session_and_quota = Script("limits/gcra", "limits/session_and_quota")

    async def take(self, policy: QuotaPolicy, subject: str, cost: int = 1) -> Quota:
        """Charge `cost` to a subject unless it exceeds what remains.

        A subject is any text (an address, a name, `user_subject`); no text can lead to the key of another subject.
        """
        return (await self.take_all([(policy, subject)], cost))[0]

    async def take_all(self, takes: Sequence[tuple[QuotaPolicy, str]], cost: int = 1) -> list[Quota]:
        """Charge `cost` to several quotas, or to none if one of them is exhausted.

        Thus a client that floods the sign-in of an account is stopped by the quota of its address and does not exhaust
        the account's.
        """
        keys = [quota_key(policy, subject) for policy, subject in takes]
        groups = by_slot(self._redis, keys)
        figures = [(policy.limit, policy.window) for policy, _ in takes]

        async def check(*, charge: bool) -> list[Quota]:
            calls: list[Call] = [
                (
                    [keys[index] for index in group],
                    (cost, int(charge), *(each for index in group for each in figures[index])),
                )
                for group in groups
            ]
            replies = in_order(groups, await self._script.run_many(self._redis, calls))
            return [Quota.of(policy, reply) for (policy, _), reply in zip(takes, replies, strict=True)]

        if len(groups) > 1:
            # On a cluster one script cannot charge all of them, so each is checked before any is charged. A concurrent
            # request in between may cause a refused request to be charged once; none is allowed beyond the limit.
            checked = await check(charge=False)
            if not all(quota.allowed for quota in checked):
                return checked
        return await check(charge=True)

    async def check_session_and_quota(
        self, policy: QuotaPolicy, user_id: int, session: str, cost: int = 1
    ) -> tuple[Quota, bool]:
        """Charge a request; return the quota, and whether the session was revoked, which charges nothing.

        Every request of a signed-in user needs both, so both come in one round trip.
        """
        keys = [revoked_key(session, user_id), user_quota_key(policy, user_id)]
        revoked, *reply = await self._session_and_quota.run(self._redis, keys, (policy.limit, policy.window, cost))
        return Quota.of(policy, reply), bool(revoked)


def user_subject(user_id: int) -> str:
    """Return the subject of a signed-in user: the id's text; the home feed charges the same quota."""
    return encode(user_id)


def user_quota_key(policy: QuotaPolicy, user_id: int) -> bytes:
    """Return the Redis key of a user's quota, which is in the user's slot group."""
    return b"quota:{%d}:%b:%d" % (slot_group(user_id), policy.name.encode(), user_id)


def quota_key(policy: QuotaPolicy, subject: str) -> bytes:
    """Return the Redis key of a quota: by the id for a user, by a digest for any other subject."""
    try:
        return user_quota_key(policy, decode(subject))
    except BadIdError:
        digest = hashlib.blake2b(subject.encode(), digest_size=16).hexdigest()
        return f"quota:{policy.name}:{digest}".encode()
