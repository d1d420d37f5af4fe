"""Charge requests to rate limits, by the name of the limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields, replace

from server.identity.errors import RateLimitedError, SessionRevokedError
from server.identity.rate_limits import SITE_NETWORKS, Charge, RateLimits, address_subject, site_subject
from storage.errors import UnavailableError
from storage.limits.local_quotas import LocalQuotas
from storage.limits.quotas import Quota, QuotaPolicy, Quotas, user_subject

SessionCheck = Callable[[int, str], Awaitable[bool]]


class RateLimiter:
    """Charge users and client addresses for what they do.

    Raises `RateLimitedError` when a limit is used up, and `UnavailableError` when Redis does not respond.

    What may go on while Redis is away is charged with `locally`: then this process counts alone, and `is_open` finds
    out in the database whether a session is still open. Whatever protects passwords and other users is not.
    """

    def __init__(
        self,
        quotas: Quotas,
        limits: RateLimits,
        *,
        is_open: SessionCheck | None = None,
        local: LocalQuotas | None = None,
    ) -> None:
        self._quotas = quotas
        self._is_open = is_open
        self._local = local or LocalQuotas()
        # Parsed once: this runs for every request.
        self._policies = {field.name: limits.policy(field.name) for field in fields(limits)}

    def policy(self, name: str) -> QuotaPolicy:
        """Return the policy of a limit; raise `KeyError` for an unknown name."""
        return self._policies[name]

    async def check_user(
        self,
        name: str,
        user_id: int,
        session: str,
        *,
        cost: int = 1,
        locally: bool = False,
        in_session: bool = True,
    ) -> Charge:
        """Charge `cost` to a user; also raises `SessionRevokedError`. Both are checked in one round trip to Redis.

        The token of a suspended account is not `in_session`: there is none that could be open.
        """
        policy = self._policies[name]
        try:
            quota, revoked = await self._quotas.check_session_and_quota(policy, user_id, session, cost)
        except UnavailableError:
            if not locally:
                raise
            return await self.check_user_locally(name, user_id, session if in_session else None, cost)
        return require_allowed(policy, quota, revoked=revoked)

    async def check_user_locally(self, name: str, user_id: int, session: str | None, cost: int = 1) -> Charge:
        """Charge a user in this process alone; raise also `SessionRevokedError`, unless `session` is None."""
        policy = self._policies[name]
        # The limit comes first: it protects the database from the check.
        (quota,) = self._local.take_all([(policy, user_subject(user_id))], cost)
        charge = require_allowed(policy, quota, local=True)
        if session is not None and self._is_open is not None and not await self._is_open(user_id, session):
            raise SessionRevokedError
        return charge

    async def charge_user(self, name: str, user_id: int, cost: int) -> Charge:
        """Charge a user for more than the one request that `check_user` has charged."""
        policy = self._policies[name]
        return require_allowed(policy, await self._quotas.take(policy, user_subject(user_id), cost))

    async def check_address(
        self, name: str, address: str, *others: tuple[str, str], cost: int = 1, locally: bool = False
    ) -> Charge:
        """Charge `cost` to `others`, which are (limit, subject) pairs, and a client's address; either all or none.

        Returns the charge of the address. An IPv6 address is charged twice: to its /64 network, and to its /48.
        """
        policy = self._policies[name]
        takes = [*((self._policies[other], subject) for other, subject in others), (policy, address_subject(address))]
        charged, site = len(takes) - 1, site_subject(address)
        if site is not None:
            takes.append((replace(policy, limit=policy.limit * SITE_NETWORKS), site))
        quotas, local = await self._take_all(takes, cost, locally=locally)
        charges = [
            require_allowed(policy, quota, local=local) for (policy, _), quota in zip(takes, quotas, strict=True)
        ]
        return charges[charged]

    async def _take_all(
        self, takes: Sequence[tuple[QuotaPolicy, str]], cost: int, *, locally: bool
    ) -> tuple[Sequence[Quota], bool]:
        """Return the quotas, and whether this process has counted alone."""
        try:
            return await self._quotas.take_all(takes, cost), False
        except UnavailableError:
            if not locally:
                raise
            return self._local.take_all(takes, cost), True


def require_allowed(policy: QuotaPolicy, quota: Quota, *, revoked: bool = False, local: bool = False) -> Charge:
    """Return the charge; raise `SessionRevokedError`, or `RateLimitedError` when the limit is used up."""
    if revoked:
        raise SessionRevokedError
    charge = Charge(policy=policy, quota=quota, local=local)
    if not quota.allowed:
        raise RateLimitedError(charge)
    return charge
