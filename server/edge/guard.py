"""Authenticate each request and charge its rate limit, before the endpoint's handler runs.

The body is not read yet, so a request that is refused costs little. After a write the viewer's next reads are bound to
see it.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.edge.api_request import VIEWER, ApiRequest
from server.edge.authentication import RequestAuthenticator
from server.edge.body import BodyPace
from server.edge.endpoint import Auth, Endpoint
from server.edge.entity_tags import unless_known
from server.edge.middleware import Handler
from server.edge.problem import sign_in_required
from server.identity.errors import InsufficientScopeError, NewAccountLimitedError, SessionRequiredError
from server.identity.new_accounts import NewAccountLimiter
from server.identity.rate_limiter import RateLimiter
from server.identity.scopes import ANY
from storage.postgres.reads import Reads

ANONYMOUS_QUOTA = "anonymous"


def no_scope(_endpoint: Endpoint) -> str | None:
    """Refuse the tokens of applications for every endpoint."""
    return None


class Guard:
    """Wrap endpoints into aiohttp handlers.

    `require_space` raises `FullError` while there is no space for what an endpoint would store. `require_proof` raises
    `ReauthenticationRequiredError` unless a user was authenticated in a session a moment ago. Without `new_accounts` no
    lower limits apply to these. `scope_of` returns the scope that the token of an application needs for an endpoint, or
    None where such tokens are refused. Handlers get requests of `request_type`.
    """

    def __init__(
        self,
        authenticator: RequestAuthenticator,
        limiter: RateLimiter,
        pace: BodyPace,
        reads: Reads,
        *,
        require_space: Callable[[], None],
        require_proof: Callable[[int, str], Awaitable[None]],
        new_accounts: NewAccountLimiter | None = None,
        scope_of: Callable[[Endpoint], str | None] = no_scope,
        request_type: type[ApiRequest] = ApiRequest,
    ) -> None:
        self._authenticator = authenticator
        self._limiter = limiter
        self._pace = pace
        self._reads = reads
        self._require_space = require_space
        self._require_proof = require_proof
        self._new_accounts = new_accounts
        self._scope_of = scope_of
        self._request_type = request_type

    def for_requests(self, request_type: type[ApiRequest]) -> Guard:
        """Return a guard with the same rules, whose handlers get requests of another type."""
        other = copy.copy(self)
        other._request_type = request_type
        return other

    def bind(self, endpoint: Endpoint) -> Handler:
        """Return the aiohttp handler of an endpoint.

        Raises `KeyError` where its quota is no rate limit, or its scope is not known.
        """
        # A misspelt quota fails at the start of the process instead of at the first request.
        self._scope_of(endpoint)
        for quota in (endpoint.quota, endpoint.new_account_quota):
            if quota is not None:
                self._limiter.policy(quota)

        async def handler(http: web.Request) -> web.StreamResponse:
            viewer = (
                None
                if endpoint.auth is Auth.NONE
                else await self._authenticator.viewer(http, restricted=endpoint.while_suspended)
            )
            if viewer is not None:
                http[VIEWER] = viewer
            elif endpoint.auth is Auth.REQUIRED:
                raise sign_in_required()
            request = self._request_type(http, viewer, self._pace)
            await self.check(request, endpoint)
            if viewer is None or endpoint.reads:
                response = await endpoint.handler(request)
                return unless_known(http, response) if endpoint.tagged else response
            try:
                return await endpoint.handler(request)
            finally:
                # Also after an error: a write may have been committed before it, or its commit not been answered.
                await self._reads.keep_position(viewer.user_id)

        return handler

    async def check(self, request: ApiRequest, endpoint: Endpoint) -> None:
        """Require the scope of an endpoint, charge its rate limits, and require proof and space where it does."""
        if request.viewer_id is not None:
            require_scope(request.viewer.scopes, self._scope_of(endpoint))
        if endpoint.guarded:
            # Without Redis reads go on. Writes would be missing in its caches when it returns, and their limits protect
            # other users; so they are refused.
            await self.charge(request, endpoint.quota, locally=endpoint.reads or endpoint.without_redis)
            if endpoint.new_account_quota is not None:
                await self._charge_new_account(request, endpoint.new_account_quota)
        # The token of a suspended account was issued for the password a moment ago, and belongs to no session.
        if endpoint.recent_proof and request.viewer_id is not None and not request.viewer.restricted:
            await self._require_proof(request.viewer.user_id, request.viewer.session)
        if endpoint.stores:
            self._require_space()

    async def charge(self, request: ApiRequest, quota: str, *, cost: int = 1, locally: bool = False) -> None:
        """Charge `cost` to a user's rate limit, or to the one of visitors; also raise for a revoked session."""
        if request.viewer_id is None:
            charge = await self._limiter.check_address(ANONYMOUS_QUOTA, request.address, cost=cost, locally=locally)
        else:
            viewer = request.viewer
            charge = await self._limiter.check_user(
                quota,
                viewer.user_id,
                viewer.session,
                cost=cost,
                locally=locally,
                in_session=not viewer.restricted,
            )
        request.report_rate_limit(charge)

    async def _charge_new_account(self, request: ApiRequest, quota: str) -> None:
        if request.viewer_id is None or self._new_accounts is None:
            return
        try:
            await self._new_accounts.charge(quota, request.viewer_id)
        except NewAccountLimitedError as error:
            # In place of the limit of all accounts, of which something is left.
            request.report_rate_limit(error.charge)
            raise


def require_scope(scopes: frozenset[str] | None, scope: str | None) -> None:
    """Raise `InsufficientScopeError` if `scopes`, which a token permits, are without `scope`.

    Without a scope, raise `SessionRequiredError` for every token of an application. With `ANY` each is accepted,
    because something else checks what it permits. The token of a session that a user signed in to has no scopes, and
    may do everything.
    """
    if scopes is None or scope in scopes or scope == ANY:
        return
    if scope is None:
        raise SessionRequiredError
    raise InsufficientScopeError(scope)
