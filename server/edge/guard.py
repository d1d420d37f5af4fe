"""What every endpoint of the API asks before its handler runs: who is it, may they still, and how often.

Revocation and rate limit are asked together, in one round trip to Redis.
"""

from __future__ import annotations

from aiohttp import web

from server.edge.api_request import VIEWER, ApiRequest, Viewer
from server.edge.authentication import RequestAuthenticator
from server.edge.endpoint import Auth, Endpoint
from server.edge.middleware import Handler
from server.edge.problems import ProblemError, unauthorized
from server.identity.rate_limits import RateLimits, address_subject, rate_limit_headers
from storage.limits.quotas import Quota, QuotaPolicy, Quotas


class Guard:
    """Wrap endpoints into aiohttp handlers."""

    def __init__(
        self,
        authentication: RequestAuthenticator,
        quotas: Quotas,
        limits: RateLimits,
        *,
        body_timeout: float,
    ) -> None:
        self._authentication = authentication
        self._quotas = quotas
        self._limits = limits
        self._body_timeout = body_timeout

    def bind(self, endpoint: Endpoint) -> Handler:
        """Return the aiohttp handler of an endpoint."""
        mine, anonymous = self._limits.policy(endpoint.quota), self._limits.policy("anonymous")

        async def handler(request: web.Request) -> web.StreamResponse:
            viewer = None if endpoint.auth is Auth.NONE else self._authentication.viewer(request)
            if viewer is not None:
                request[VIEWER] = viewer
            elif endpoint.auth is Auth.REQUIRED:
                raise unauthorized("unauthorized", "sign in first")
            api_request = ApiRequest(request, viewer, body_timeout=self._body_timeout)
            if endpoint.gated:
                await self._enter(api_request, mine if viewer is not None else anonymous, viewer)
            return await endpoint.handler(api_request)

        return handler

    async def _enter(self, request: ApiRequest, policy: QuotaPolicy, viewer: Viewer | None) -> None:
        if viewer is None:
            admit(request, policy, await self._quotas.take(policy, address_subject(request.address)))
            return
        quota, revoked = await self._quotas.check_session_and_quota(policy, viewer.user_id, viewer.session)
        admit(request, policy, quota, revoked=revoked)


def admit(request: ApiRequest, policy: QuotaPolicy, quota: Quota | None, *, revoked: bool = False) -> None:
    """Announce the quota; raise a 401 for a session that is over and a 429 where the quota is used up."""
    if revoked:
        raise unauthorized("session_revoked", "this session has ended; sign in again")
    if quota is None:
        return
    request.add_headers(rate_limit_headers(policy, quota))
    if not quota.allowed:
        raise ProblemError(429, "too_many_requests", f'the limit "{policy.name}" is used up; come back later')
