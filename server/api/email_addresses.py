"""`/users/me/email`: the address of the viewer's account, and the links of mails that verify or change it."""

from __future__ import annotations

from aiohttp import web

from server.actions.email_addresses import CHANGE_QUOTA, MAIL_QUOTA, EmailActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.mail_requests import EmailChangeAnswer, EmailChangeRequest
from server.edge.mail_responses import EmailChangeResponse, EmailResponse, VerifiedEmailResponse
from storage.mails import ChangeProgress

_TAG = "accounts"


class EmailAddressesApi:
    """Verify and change the address of an account. The tokens of links are sent in the path, never in a query."""

    def __init__(self, actions: EmailActions) -> None:
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/users/me/email",
                handler=self.get,
                summary="Get the e-mail address of your account, and whether it is verified",
                tag=_TAG,
                response=EmailResponse,
            ),
            Endpoint(
                method="POST",
                path="/users/me/email",
                handler=self.change,
                summary="Change your e-mail address: links to confirm it are sent to both addresses",
                tag=_TAG,
                quota=MAIL_QUOTA,
                body=EmailChangeRequest,
                status=202,
                response=EmailResponse,
                errors=(409,),
            ),
            Endpoint(
                method="DELETE",
                path="/users/me/email/change",
                handler=self.stop,
                summary="Stop the change of your e-mail address",
                tag=_TAG,
                quota=CHANGE_QUOTA,
                status=204,
            ),
            Endpoint(
                method="POST",
                path="/users/me/email/verification",
                handler=self.send,
                summary="Send the mail with which your e-mail address is verified once more",
                tag=_TAG,
                quota=MAIL_QUOTA,
                status=202,
                errors=(409,),
            ),
            Endpoint(
                method="POST",
                path="/email-verifications/{token}",
                handler=self.verify,
                summary="Verify an e-mail address by the token of the link that was sent to it",
                tag=_TAG,
                auth=Auth.NONE,
                response=VerifiedEmailResponse,
                errors=(404, 409, 410),
            ),
            Endpoint(
                method="POST",
                path="/email-changes/{token}",
                handler=self.answer,
                summary="Confirm or stop the change of an e-mail address by the token of a link",
                tag=_TAG,
                auth=Auth.NONE,
                body=EmailChangeAnswer,
                response=EmailChangeResponse,
                errors=(404, 409, 410),
            ),
        ]

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/email`."""
        return await self._state(request.viewer.user_id)

    async def change(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/email`."""
        form, viewer_id = await request.body(EmailChangeRequest), request.viewer.user_id
        await self._actions.change(
            viewer_id, request.viewer.session, form.email, password=form.password, address=request.address
        )
        return await self._state(viewer_id, status=202)

    async def stop(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/email/change`."""
        await self._actions.stop_change(request.viewer.user_id)
        return empty_response()

    async def send(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/email/verification`."""
        await self._actions.send_verification(request.viewer.user_id)
        return empty_response(202)

    async def verify(self, request: ApiRequest) -> web.Response:
        """Handle `POST /email-verifications/{token}`."""
        email = await self._actions.verify(request.http.match_info["token"])
        return json_response(VerifiedEmailResponse(email=email).to_bytes())

    async def answer(self, request: ApiRequest) -> web.Response:
        """Handle `POST /email-changes/{token}`."""
        form, token = await request.body(EmailChangeAnswer), request.http.match_info["token"]
        if form.action == "stop":
            await self._actions.refuse_change(token)
            return json_response(EmailChangeResponse(state=ChangeProgress.STOPPED).to_bytes())
        progress, email = await self._actions.confirm_change(token)
        return json_response(EmailChangeResponse(state=progress, email=email).to_bytes())

    async def _state(self, viewer_id: int, *, status: int = 200) -> web.Response:
        state = await self._actions.state(viewer_id)
        return json_response(EmailResponse.from_model(state.recipient, state.change).to_bytes(), status=status)
