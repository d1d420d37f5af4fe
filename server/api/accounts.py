"""One's own account: sign up, look, change, delete."""

from __future__ import annotations

from aiohttp import web

from server.api.tokens import TokensApi
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.guard import admit
from server.edge.requests import AccountUpdate, SignUpRequest
from server.edge.responses import AccountResponse, TokensResponse
from server.identity.passwords import Passwords
from server.identity.rate_limits import RateLimits, address_subject
from server.identity.sessions import SessionService
from storage.limits.quotas import Quotas
from storage.postgres.database import Database
from storage.stores import users


class SignUpApi:
    """`POST /users`."""

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        quotas: Quotas,
        limits: RateLimits,
        *,
        desk: SessionService,
        tokens: TokensApi,
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._quotas = quotas
        self._policy = limits.policy("sign_up_address")
        self._desk = desk
        self._tokens = tokens

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/users",
                handler=self.sign_up,
                summary="Sign up",
                tag="accounts",
                auth=Auth.NONE,
                body=SignUpRequest,
                status=201,
                response=TokensResponse,
                errors=(409,),
            )
        ]

    async def sign_up(self, request: ApiRequest) -> web.Response:
        """Answer `POST /users`."""
        form = await request.body(SignUpRequest)
        admit(request, self._policy, await self._quotas.take(self._policy, address_subject(request.address)))
        password_hash = await self._passwords.hash(form.password)
        async with self._db.transaction() as tx:
            user = await users.create(
                tx,
                username=form.username,
                email=form.email,
                password_hash=password_hash,
                display_name=form.display_name or form.username,
            )
            pair = await self._desk.open(tx, user)
        return self._tokens.answer(pair, user, by_cookie=form.cookie)


class AccountApi:
    """`/users/me`."""

    def __init__(self, db: Database, desk: SessionService) -> None:
        self._db = db
        self._desk = desk

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/users/me",
                handler=self.get,
                summary="One's own account and settings",
                tag="accounts",
                response=AccountResponse,
            ),
            Endpoint(
                method="PATCH",
                path="/users/me",
                handler=self.change,
                summary="Change one's own account and settings",
                tag="accounts",
                quota="writes",
                body=AccountUpdate,
                response=AccountResponse,
            ),
            Endpoint(
                method="DELETE",
                path="/users/me",
                handler=self.delete,
                summary="Delete one's own account with everything in it",
                tag="accounts",
                quota="writes",
                status=202,
            ),
        ]

    async def get(self, request: ApiRequest) -> web.Response:
        """Answer `GET /users/me`."""
        user = await users.get(self._db, request.viewer.user_id)
        return json_response(AccountResponse.from_model(user).to_bytes())

    async def change(self, request: ApiRequest) -> web.Response:
        """Answer `PATCH /users/me`."""
        form = await request.body(AccountUpdate)
        async with self._db.transaction() as tx:
            user = await users.update(
                tx,
                request.viewer.user_id,
                display_name=form.display_name,
                bio=form.bio,
                private=form.private,
                presence=form.presence,
                settings=form.settings,
            )
        return json_response(AccountResponse.from_model(user).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Answer `DELETE /users/me`: gone for everybody at once; workers clear what hangs on it."""
        async with self._db.transaction() as tx:
            ended = await users.remove(tx, request.viewer.user_id)
        await self._desk.forget(request.viewer.user_id, ended)
        return empty_response(202)
