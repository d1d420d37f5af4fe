"""`/password-resets`: a new password for an account whose password is forgotten."""

from __future__ import annotations

from aiohttp import web

from server.actions.password_resets import PasswordResetActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.mail_requests import NewPasswordRequest, PasswordResetRequest
from server.edge.mail_responses import ResetTermsResponse

_TAG = "sessions"


class PasswordResetsApi:
    """Request a link, and set a password by one."""

    def __init__(self, actions: PasswordResetActions) -> None:
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/password-resets",
                handler=self.request,
                summary="Have a link to set a new password sent to an e-mail address, if an account has it",
                tag=_TAG,
                auth=Auth.NONE,
                body=PasswordResetRequest,
                status=202,
            ),
            Endpoint(
                method="GET",
                path="/password-resets/{token}",
                handler=self.get,
                summary="Get the account whose password a link resets",
                tag=_TAG,
                auth=Auth.NONE,
                response=ResetTermsResponse,
                errors=(404, 410),
            ),
            Endpoint(
                method="POST",
                path="/password-resets/{token}",
                handler=self.reset,
                summary="Set a new password by the token of a link; all sessions of the account end",
                tag=_TAG,
                auth=Auth.NONE,
                body=NewPasswordRequest,
                status=204,
                errors=(404, 410),
            ),
        ]

    async def request(self, request: ApiRequest) -> web.Response:
        """Handle `POST /password-resets`."""
        form = await request.body(PasswordResetRequest)
        request.report_rate_limit(await self._actions.request(form.email, address=request.address))
        return empty_response(202)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /password-resets/{token}`."""
        terms = await self._actions.terms(request.http.match_info["token"])
        return json_response(ResetTermsResponse.from_model(terms.username, terms.deletion_due_at).to_bytes())

    async def reset(self, request: ApiRequest) -> web.Response:
        """Handle `POST /password-resets/{token}`."""
        form = await request.body(NewPasswordRequest)
        await self._actions.reset(request.http.match_info["token"], form.password)
        return empty_response()
