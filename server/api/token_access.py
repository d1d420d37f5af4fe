"""`/users/me/tokens`, a user's own access tokens, and `/users/me/applications`, the connected applications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web

from server.actions.token_access import QUOTA, TokenAccess
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.oauth_requests import TokenCreate
from server.edge.oauth_responses import (
    ConnectedApplicationResponse,
    ConnectedApplicationsResponse,
    PersonalTokenResponse,
    PersonalTokensResponse,
    scopes_of,
)
from server.identity.scopes import CHOICES

_TAG = "access tokens"
_TOKENS = "/users/me/tokens"
_APPLICATIONS = "/users/me/applications"


class TokenAccessApi:
    """List, make and end what has access to an account by tokens."""

    def __init__(self, access: TokenAccess) -> None:
        self._access = access

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of these resources."""
        return [
            Endpoint(
                method="GET",
                path=_TOKENS,
                handler=self.tokens,
                summary="List your personal access tokens, and the scopes that one can have",
                tag=_TAG,
                response=PersonalTokensResponse,
            ),
            Endpoint(
                method="POST",
                path=_TOKENS,
                handler=self.create,
                summary="Make a personal access token, which is shown this once",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=TokenCreate,
                status=201,
                response=PersonalTokenResponse,
                errors=(409,),
                recent_proof=True,
            ),
            Endpoint(
                method="DELETE",
                path=f"{_TOKENS}/{{session}}",
                handler=self.delete,
                summary="End a personal access token and its live connections, at once",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path=_APPLICATIONS,
                handler=self.applications,
                summary="List the applications that have access to your account",
                tag=_TAG,
                response=ConnectedApplicationsResponse,
            ),
            Endpoint(
                method="DELETE",
                path=f"{_APPLICATIONS}/{{id}}",
                handler=self.disconnect,
                summary="End the access of an application to your account, and its live connections, at once",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def tokens(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/tokens`."""
        items = [PersonalTokenResponse.from_model(each) for each in await self._access.personal(request.viewer.user_id)]
        return json_response(PersonalTokensResponse(items=items, scopes=scopes_of(CHOICES)).to_bytes())

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/tokens`."""
        form = await request.body(TokenCreate)
        days = form.expires_in_days
        made = await self._access.create(
            request.viewer.user_id,
            name=form.name,
            scopes=form.scopes,
            expires_at=None if days is None else datetime.now(UTC) + timedelta(days=days),
            client=request.client,
        )
        return json_response(PersonalTokenResponse.from_model(made.shown, text=made.text).to_bytes(), status=201)

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/tokens/{session}`."""
        await self._access.delete(request.viewer.user_id, request.session_id())
        return empty_response()

    async def applications(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/applications`."""
        found = await self._access.applications(request.viewer.user_id)
        items = [ConnectedApplicationResponse.from_model(each) for each in found]
        return json_response(ConnectedApplicationsResponse(items=items).to_bytes())

    async def disconnect(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/applications/{id}`."""
        await self._access.disconnect(request.viewer.user_id, request.id())
        return empty_response()
