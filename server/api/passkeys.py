"""`/users/me/passkeys`, and the challenge with which a passkey signs in."""

from __future__ import annotations

from aiohttp import web

from server.actions.passkeys import QUOTA, PasskeyActions
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.security_requests import PasskeyCreate, PasskeyUpdate
from server.edge.security_responses import PasskeyOptionsResponse, PasskeyResponse, PasskeysResponse
from server.identity.rate_limiter import RateLimiter

_TAG = "security"
_ALL = "/users/me/passkeys"
_ONE = f"{_ALL}/{{id}}"
_CHALLENGE_QUOTA = "sign_in_address"


class PasskeysApi:
    """Register, list, rename and delete passkeys."""

    def __init__(self, passkeys: PasskeyActions, limiter: RateLimiter) -> None:
        self._passkeys = passkeys
        self._limiter = limiter

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/passkeys/challenge",
                handler=self.begin_sign_in,
                summary="Get the options with which a browser signs in by a passkey",
                tag=_TAG,
                auth=Auth.NONE,
                status=201,
                response=PasskeyOptionsResponse,
                errors=(409,),
            ),
            Endpoint(
                method="GET",
                path=_ALL,
                handler=self.list_,
                summary="List your passkeys",
                tag=_TAG,
                response=PasskeysResponse,
            ),
            Endpoint(
                method="POST",
                path=f"{_ALL}/challenge",
                handler=self.begin,
                summary="Get the options with which a browser makes a passkey",
                tag=_TAG,
                quota=QUOTA,
                status=201,
                response=PasskeyOptionsResponse,
                errors=(409,),
                recent_proof=True,
            ),
            Endpoint(
                method="POST",
                path=_ALL,
                handler=self.add,
                summary="Add a passkey that the browser has made",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=PasskeyCreate,
                status=201,
                response=PasskeyResponse,
                errors=(409,),
                recent_proof=True,
            ),
            Endpoint(
                method="PATCH",
                path=_ONE,
                handler=self.rename,
                summary="Rename your passkey",
                tag=_TAG,
                quota=QUOTA,
                body=PasskeyUpdate,
                response=PasskeyResponse,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                summary="Delete your passkey: it cannot be used to sign in any more",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                errors=(404,),
                recent_proof=True,
            ),
        ]

    async def begin_sign_in(self, request: ApiRequest) -> web.Response:
        """Handle `POST /passkeys/challenge`."""
        request.report_rate_limit(await self._limiter.check_address(_CHALLENGE_QUOTA, request.address))
        options = await self._passkeys.begin_sign_in()
        return json_response(PasskeyOptionsResponse(public_key=options).to_bytes(), status=201)

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/passkeys`."""
        items = [PasskeyResponse.from_model(each) for each in await self._passkeys.list_(request.viewer.user_id)]
        return json_response(PasskeysResponse(items=items).to_bytes())

    async def begin(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/passkeys/challenge`."""
        options = await self._passkeys.begin(request.viewer.user_id)
        return json_response(PasskeyOptionsResponse(public_key=options).to_bytes(), status=201)

    async def add(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/passkeys`."""
        form = await request.body(PasskeyCreate)
        added = await self._passkeys.add(request.viewer.user_id, form.credential, name=form.name, client=request.client)
        return json_response(PasskeyResponse.from_model(added).to_bytes(), status=201)

    async def rename(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /users/me/passkeys/{id}`."""
        form = await request.body(PasskeyUpdate)
        renamed = await self._passkeys.rename(request.viewer.user_id, request.id(), form.name)
        return json_response(PasskeyResponse.from_model(renamed).to_bytes())

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/passkeys/{id}`."""
        await self._passkeys.delete(request.viewer.user_id, request.id())
        return empty_response()
