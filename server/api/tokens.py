"""Sign in, renew, sign out."""

from __future__ import annotations

from aiohttp import web

from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.endpoint import Auth, Endpoint
from server.edge.guard import admit
from server.edge.problems import unauthorized
from server.edge.requests import RefreshRequest, SignInRequest
from server.edge.responses import AccountResponse, TokensResponse
from server.identity.passwords import Passwords
from server.identity.rate_limits import RateLimits, address_subject
from server.identity.sessions import SessionService, TokenPair
from storage.limits.quotas import Quotas
from storage.models import User
from storage.postgres.database import Database
from storage.stores import users


class PasswordAuthenticator:
    """Check a name and its password, slowly for whoever guesses."""

    def __init__(self, db: Database, passwords: Passwords, quotas: Quotas, limits: RateLimits) -> None:
        self._db = db
        self._passwords = passwords
        self._quotas = quotas
        self._limits = limits

    async def admit(self, request: ApiRequest, login: str, password: str) -> User:
        """Return the account; raise the same 401 for an unknown name and a wrong password, a 429 for too many tries."""
        address = address_subject(request.address)
        by_account, by_address = self._limits.policy("sign_in_account"), self._limits.policy("sign_in_address")
        takes = [(by_account, f"{login.lower()} {address}"), (by_address, address)]
        for (policy, _), quota in zip(takes, await self._quotas.take_all(takes), strict=True):
            admit(request, policy, quota)
        found = await users.credentials(self._db, login) if login.isprintable() else None
        if not await self._passwords.verify(found[1] if found else None, password) or found is None:
            raise unauthorized("wrong_credentials", "the name or the password is wrong")
        return found[0]


class TokensApi:
    """`/tokens`."""

    def __init__(
        self,
        db: Database,
        door: PasswordAuthenticator,
        desk: SessionService,
        authentication: RequestAuthenticator,
        cookies: SessionCookies,
    ) -> None:
        self._db = db
        self._door = door
        self._desk = desk
        self._authentication = authentication
        self._cookies = cookies

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/tokens",
                handler=self.sign_in,
                summary="Sign in by username or e-mail address",
                tag="sessions",
                auth=Auth.NONE,
                body=SignInRequest,
                status=201,
                response=TokensResponse,
                errors=(401,),
            ),
            Endpoint(
                method="POST",
                path="/tokens/refresh",
                handler=self.refresh,
                summary="Exchange a refresh token for new tokens; each is good once",
                tag="sessions",
                auth=Auth.NONE,
                body=RefreshRequest,
                status=201,
                response=TokensResponse,
                errors=(401, 403),
            ),
            Endpoint(
                method="DELETE",
                path="/tokens/current",
                handler=self.sign_out,
                summary="Sign out: the session ends at once, live connections included",
                tag="sessions",
                quota="writes",
                status=204,
            ),
        ]

    async def sign_in(self, request: ApiRequest) -> web.Response:
        """Answer `POST /tokens`."""
        form = await request.body(SignInRequest)
        user = await self._door.admit(request, form.username, form.password)
        async with self._db.transaction() as tx:
            pair = await self._desk.open(tx, user)
        return self.answer(pair, user, by_cookie=form.cookie)

    async def refresh(self, request: ApiRequest) -> web.Response:
        """Answer `POST /tokens/refresh`."""
        form = await request.body(RefreshRequest)
        by_cookie = form.refresh_token is None
        token = self._authentication.refresh_cookie(request.http) if by_cookie else form.refresh_token
        if not token:
            raise unauthorized("refresh_token_missing", "send a refresh token")
        return self.answer(await self._desk.renew(token), None, by_cookie=by_cookie)

    async def sign_out(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /tokens/current`."""
        await self._desk.end(request.viewer.user_id, request.viewer.session)
        response = empty_response()
        self._cookies.clear(response)
        return response

    def answer(self, pair: TokenPair, user: User | None, *, by_cookie: bool) -> web.Response:
        """Return a 201 with the tokens, in the body or in cookies."""
        account = None if user is None else AccountResponse.from_model(user)
        told = TokensResponse(expires_in=self._desk.access_ttl, user=account)
        if not by_cookie:
            told = told.model_copy(update={"access_token": pair.access, "refresh_token": pair.refresh})
            return json_response(told.to_bytes(), status=201)
        response = json_response(told.model_copy(update={"csrf_token": pair.csrf}).to_bytes(), status=201)
        self._cookies.write(response, access=pair.access, refresh=pair.refresh, csrf=pair.csrf)
        return response
