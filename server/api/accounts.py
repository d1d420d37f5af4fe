"""Sign up, and read, change and delete one's own account."""

from __future__ import annotations

from aiohttp import web

from server.actions.accounts import UPDATE_QUOTA, AccountActions
from server.actions.sign_in import SignInActions
from server.api.tokens import TokenResponses
from server.edge.api_request import ApiRequest, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.requests import AccountDeletion, AccountUpdate, SignInRequest, SignUpRequest
from server.edge.responses import AccountResponse, DeletionResponse, DeletionTermsResponse, TokensResponse
from server.identity.errors import SessionRevokedError
from storage.errors import NotFoundError
from storage.postgres.reads import Reads
from storage.stores.accounts import users


class AccountsApi:
    """`POST /users` and `/users/me`."""

    def __init__(
        self, reads: Reads, accounts: AccountActions, sign_in: SignInActions, responses: TokenResponses
    ) -> None:
        self._reads = reads
        self._sign_in = sign_in
        self._accounts = accounts
        self._responses = responses

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/users",
                handler=self.sign_up,
                summary="Sign up",
                tag="accounts",
                auth=Auth.NONE,
                stores=True,
                body=SignUpRequest,
                status=201,
                response=TokensResponse,
                errors=(409,),
            ),
            Endpoint(
                method="GET",
                path="/users/me",
                handler=self.get,
                summary="Get your account and its settings",
                tag="accounts",
                response=AccountResponse,
            ),
            Endpoint(
                method="PATCH",
                path="/users/me",
                handler=self.update,
                summary="Update your account and its settings",
                tag="accounts",
                quota=UPDATE_QUOTA,
                body=AccountUpdate,
                response=AccountResponse,
                errors=(409,),
            ),
            Endpoint(
                method="DELETE",
                path="/users/me",
                handler=self.delete,
                summary="Delete your account and everything in it; it is hidden at once",
                tag="accounts",
                quota=UPDATE_QUOTA,
                body=AccountDeletion,
                status=202,
                response=DeletionResponse,
            ),
            Endpoint(
                method="GET",
                path="/users/me/deletion",
                handler=self.deletion,
                summary="Get for how long the deletion of your account could be undone",
                tag="accounts",
                response=DeletionTermsResponse,
            ),
            Endpoint(
                method="POST",
                path="/users/me/restore",
                handler=self.restore,
                summary="Undo the deletion of your account, and sign in",
                tag="accounts",
                auth=Auth.NONE,
                body=SignInRequest,
                status=201,
                response=TokensResponse,
                errors=(401, 409),
            ),
        ]

    async def sign_up(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users`."""
        form = await request.body(SignUpRequest)
        session = await self._accounts.sign_up(
            username=form.username,
            email=form.email,
            password=form.password,
            display_name=form.display_name,
            client=request.client,
        )
        await self._reads.keep_position(session.user.id)
        return self._responses.new_session(request, session, by_cookie=form.cookie)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me`."""
        user_id = request.viewer.user_id
        try:
            user = await self._reads.read(user_id, lambda db: users.get(db, user_id))
        except NotFoundError as error:
            # The account was deleted a moment ago, and its sessions are just being revoked.
            raise SessionRevokedError from error
        return json_response(AccountResponse.from_model(user).to_bytes())

    async def update(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /users/me`."""
        form = await request.body(AccountUpdate)
        user = await self._accounts.update(
            request.viewer.user_id,
            username=form.username,
            display_name=form.display_name,
            bio=form.bio,
            private=form.private,
            presence=form.presence,
            location_metadata=form.location_metadata,
            publish_rights=form.publish_rights,
            language=form.language,
            searchable=form.searchable,
            settings=form.settings,
        )
        return json_response(AccountResponse.from_model(user).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me`."""
        form = await request.body(AccountDeletion)
        viewer = request.viewer
        due_at = await self._accounts.delete(
            viewer.user_id, viewer.session, password=form.password, client=request.client
        )
        return self._responses.without_session(
            json_response(DeletionResponse.from_model(due_at).to_bytes(), status=202)
        )

    async def deletion(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/deletion`."""
        del request
        return json_response(DeletionTermsResponse(grace_days=self._accounts.deletion_grace.days).to_bytes())

    async def restore(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/restore`."""
        form = await request.body(SignInRequest)
        session = await self._sign_in.restore(form.username, form.password, client=request.client)
        await self._reads.keep_position(session.user.id)
        return self._responses.new_session(request, session, by_cookie=form.cookie)
