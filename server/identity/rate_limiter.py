"""Charge requests to rate limits, by the name of the limit."""

from __future__ import annotations

from dataclasses import fields, replace

from server.identity.errors import RateLimitedError, SessionRevokedError
from server.identity.rate_limits import SITE_NETWORKS, Charge, RateLimits, address_subject, site_subject
from storage.limits.quotas import Quota, QuotaPolicy, Quotas, user_subject


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

    async def charge_user(self, name: str, user_id: int, cost: int) -> Charge:
        """Charge a user for more than the one request that `check_user` has charged."""
        policy = self._policies[name]
        return require_allowed(policy, await self._quotas.take(policy, user_subject(user_id), cost))

    async def check_address(self, name: str, address: str, *others: tuple[str, str]) -> Charge:
        """Charge `others`, which are (limit, subject) pairs, and a client's address; either all or none.

        Returns the charge of the address. An IPv6 address is charged twice: to its /64 network, and to its /48.
        """
        policy = self._policies[name]
        takes = [*((self._policies[other], subject) for other, subject in others), (policy, address_subject(address))]
        charged, site = len(takes) - 1, site_subject(address)
        if site is not None:
            takes.append((replace(policy, limit=policy.limit * SITE_NETWORKS), site))
        quotas = await self._quotas.take_all(takes)
        charges = [require_allowed(policy, quota) for (policy, _), quota in zip(takes, quotas, strict=True)]
        return charges[charged]


def require_allowed(policy: QuotaPolicy, quota: Quota, *, revoked: bool = False) -> Charge:
    """Return the charge; raise `SessionRevokedError`, or `RateLimitedError` when the limit is used up."""
    if revoked:
        raise SessionRevokedError
    charge = Charge(policy=policy, quota=quota)
    if not quota.allowed:
        raise RateLimitedError(charge)
    return charge
