"""Charge requests to rate limits, by the name of the limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from server.identity.errors import RateLimitedError, SessionRevokedError
from server.identity.rate_limits import Charge, RateLimits, address_subject
from storage.limits.quotas import Quota, QuotaPolicy, Quotas


class RateLimiter:
    """Charge users and client addresses for what they do.

    Raises `RateLimitedError` when a limit is used up, and `UnavailableError` when Redis does not respond.
    """

    def __init__(self, quotas: Quotas, limits: RateLimits) -> None:
        self._quotas = quotas
        # Parsed once: this runs for every request.
        self._policies = {field.name: limits.policy(field.name) for field in fields(limits)}

    def policy(self, name: str) -> QuotaPolicy:
        """Return the policy of a limit; raise `KeyError` for an unknown name."""
        return self._policies[name]

    async def check_user(self, name: str, user_id: int, session: str) -> Charge:
        """Charge a user; also raises `SessionRevokedError`. Both are checked in one round trip to Redis."""
        policy = self._policies[name]
        quota, revoked = await self._quotas.check_session_and_quota(policy, user_id, session)
        return require_allowed(policy, quota, revoked=revoked)

    async def check_address(self, name: str, address: str) -> Charge:
        """Charge the address of a client that is not signed in."""
        return await self.check([(name, address_subject(address))])

    async def check(self, takes: Sequence[tuple[str, str]]) -> Charge:
        """Charge (limit, subject) pairs, either all or none; return the charge of the last one."""
        policies = [(self._policies[name], subject) for name, subject in takes]
        quotas = await self._quotas.take_all(policies)
        charges = [require_allowed(policy, quota) for (policy, _), quota in zip(policies, quotas, strict=True)]
        return charges[-1]


def require_allowed(policy: QuotaPolicy, quota: Quota, *, revoked: bool = False) -> Charge:
    """Return the charge; raise `SessionRevokedError`, or `RateLimitedError` when the limit is used up."""
    if revoked:
        raise SessionRevokedError
    charge = Charge(policy=policy, quota=quota)
    if not quota.allowed:
        raise RateLimitedError(charge)
    return charge
