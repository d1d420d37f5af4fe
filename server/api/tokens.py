"""Sign in, refresh tokens, sign out."""

from __future__ import annotations

from aiohttp import web

from server.actions.sessions import SIGN_OUT_QUOTA, NewSession, SessionService, TokenPair
from server.actions.sign_in import SignInActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.authentication import RequestAuthenticator, SessionCookies
from server.edge.endpoint import Auth, Endpoint
from server.edge.problem import unauthorized
from server.edge.requests import RefreshRequest, SignInRequest
from server.edge.responses import AccountResponse, TokensResponse
from server.edge.security_requests import PasskeySignInRequest, SecondFactorRequest
from server.identity.device_tokens import DeviceTokens
from storage.models import User
from storage.postgres.reads import Reads


class TokenResponses:
    """Responses that carry a session's tokens, in the body or in cookies; `access_ttl` in seconds."""

    def __init__(self, cookies: SessionCookies, devices: DeviceTokens, *, access_ttl: int) -> None:
        self._cookies = cookies
        self._devices = devices
        self._access_ttl = access_ttl

    def new_session(self, request: ApiRequest, session: NewSession, *, by_cookie: bool) -> web.Response:
        """Return the 201 for a session that was opened, and report the rate limit that it was charged to."""
        request.report_rate_limit(session.charge)
        response = self.tokens(session.tokens, session.user, by_cookie=by_cookie)
        if by_cookie:
            # The next sign-in of this user with this browser is that of a known device.
            known = self._devices.extended(request.client.device_token, session.user.id)
            self._cookies.write_device(response, known)
        return response

    def tokens(self, pair: TokenPair, user: User | None, *, by_cookie: bool) -> web.Response:
        """Return a 201 with tokens, and the account if `user` is given."""
        account = None if user is None else AccountResponse.from_model(user)
        fields = TokensResponse(expires_in=self._access_ttl, user=account)
        if not by_cookie:
            fields = fields.model_copy(update={"access_token": pair.access, "refresh_token": pair.refresh})
            return json_response(fields.to_bytes(), status=201)
        # Scripts of the page must not be able to read the tokens, so that the body holds only the CSRF token.
        response = json_response(fields.model_copy(update={"csrf_token": pair.csrf}).to_bytes(), status=201)
        self._cookies.write(response, access=pair.access, refresh=pair.refresh, csrf=pair.csrf)
        return response

    def signed_out(self) -> web.Response:
        """Return the 204 that also deletes the cookies."""
        return self.without_session(empty_response())

    def without_session(self, response: web.Response) -> web.Response:
        """Return a response that also deletes the cookies."""
        self._cookies.clear(response)
        return response


class TokensApi:
    """`/tokens`."""

    def __init__(
        self,
        sign_in: SignInActions,
        sessions: SessionService,
        authenticator: RequestAuthenticator,
        responses: TokenResponses,
        reads: Reads,
    ) -> None:
        self._reads = reads
        self._sign_in = sign_in
        self._sessions = sessions
        self._authenticator = authenticator
        self._responses = responses

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
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
                errors=(401, 403),
            ),
            Endpoint(
                method="POST",
                path="/tokens/second-factor",
                handler=self.second_factor,
                summary="Finish a sign-in that needs a one-time code or a recovery code",
                tag="sessions",
                auth=Auth.NONE,
                body=SecondFactorRequest,
                status=201,
                response=TokensResponse,
                errors=(401, 403),
            ),
            Endpoint(
                method="POST",
                path="/tokens/passkey",
                handler=self.passkey,
                summary="Sign in by a passkey, without a username",
                tag="sessions",
                auth=Auth.NONE,
                body=PasskeySignInRequest,
                status=201,
                response=TokensResponse,
                errors=(401, 403),
            ),
            Endpoint(
                method="POST",
                path="/tokens/refresh",
                handler=self.refresh,
                summary="Exchange a refresh token for new tokens; each refresh token can be used once",
                tag="sessions",
                auth=Auth.NONE,
                body=RefreshRequest,
                status=201,
                response=TokensResponse,
                errors=(401, 403),
                without_redis=True,
            ),
            Endpoint(
                method="DELETE",
                path="/tokens/current",
                handler=self.sign_out,
                summary="Sign out: the session and its live connections end at once",
                tag="sessions",
                quota=SIGN_OUT_QUOTA,
                without_redis=True,
                status=204,
            ),
        ]

    async def sign_in(self, request: ApiRequest) -> web.Response:
        """Handle `POST /tokens`."""
        form = await request.body(SignInRequest)
        session = await self._sign_in.by_password(form.username, form.password, client=request.client)
        return self._responses.new_session(request, session, by_cookie=form.cookie)

    async def second_factor(self, request: ApiRequest) -> web.Response:
        """Handle `POST /tokens/second-factor`."""
        form = await request.body(SecondFactorRequest)
        session = await self._sign_in.by_code(form.challenge, form.code, client=request.client)
        await self._reads.keep_position(session.user.id)
        return self._responses.new_session(request, session, by_cookie=form.cookie)

    async def passkey(self, request: ApiRequest) -> web.Response:
        """Handle `POST /tokens/passkey`."""
        form = await request.body(PasskeySignInRequest)
        session = await self._sign_in.by_passkey(form.credential, client=request.client)
        return self._responses.new_session(request, session, by_cookie=form.cookie)

    async def refresh(self, request: ApiRequest) -> web.Response:
        """Handle `POST /tokens/refresh`."""
        form = await request.body(RefreshRequest)
        by_cookie = form.refresh_token is None
        token = self._authenticator.refresh_cookie(request.http) if by_cookie else form.refresh_token
        if not token:
            raise unauthorized("refresh_token_missing", "Send the refresh token in the body or in its cookie.")
        pair = await self._sessions.refresh(token, client=request.client)
        return self._responses.tokens(pair, None, by_cookie=by_cookie)

    async def sign_out(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /tokens/current`."""
        await self._sessions.sign_out(request.viewer.user_id, request.viewer.session)
        return self._responses.signed_out()
