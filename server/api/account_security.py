"""Proofs of the viewer's identity, the password, and the second factor."""

from __future__ import annotations

from aiohttp import web

from server.actions.password_change import PasswordChange
from server.actions.reauthentication import Reauthentication
from server.actions.second_factor import QUOTA, SecondFactor
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.qr_codes import qr_svg
from server.edge.security_requests import CodeRequest, PasswordChangeRequest, ReauthenticationRequest
from server.edge.security_responses import (
    NewTotpResponse,
    ReauthenticationResponse,
    RecoveryCodesResponse,
    TotpResponse,
)
from storage.render.timestamps import timestamp

_TAG = "security"
_TOTP = "/users/me/totp"


class AccountSecurityApi:
    """`/users/me/reauthentication`, `password`, `totp` and `recovery-codes`."""

    def __init__(
        self, reauthentication: Reauthentication, password_change: PasswordChange, factor: SecondFactor
    ) -> None:
        self._reauthentication = reauthentication
        self._password_change = password_change
        self._factor = factor

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of these resources."""
        return [
            Endpoint(
                method="POST",
                path="/users/me/reauthentication",
                handler=self.reauthenticate,
                summary="Prove your identity, for dangerous steps of the next 15 minutes",
                tag=_TAG,
                quota=QUOTA,
                body=ReauthenticationRequest,
                response=ReauthenticationResponse,
            ),
            Endpoint(
                method="PATCH",
                path="/users/me/password",
                handler=self.change_password,
                summary="Change your password; all other sessions end",
                tag=_TAG,
                quota=QUOTA,
                body=PasswordChangeRequest,
                status=204,
            ),
            *self._factor_endpoints(),
        ]

    def _factor_endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=_TOTP,
                handler=self.factor,
                summary="Get whether your sign-ins ask for a code",
                tag=_TAG,
                response=TotpResponse,
            ),
            Endpoint(
                method="POST",
                path=_TOTP,
                handler=self.begin_factor,
                summary="Get a secret for your authenticator application, to be confirmed by a code",
                tag=_TAG,
                quota=QUOTA,
                status=201,
                response=NewTotpResponse,
                errors=(409,),
                recent_proof=True,
            ),
            Endpoint(
                method="POST",
                path=f"{_TOTP}/confirmation",
                handler=self.confirm_factor,
                summary="Let your sign-ins ask for a code from now on, and get the recovery codes",
                tag=_TAG,
                quota=QUOTA,
                body=CodeRequest,
                response=RecoveryCodesResponse,
                errors=(409,),
                recent_proof=True,
            ),
            Endpoint(
                method="DELETE",
                path=_TOTP,
                handler=self.remove_factor,
                summary="Let your sign-ins ask for no code any more",
                tag=_TAG,
                quota=QUOTA,
                status=204,
                recent_proof=True,
            ),
            Endpoint(
                method="POST",
                path="/users/me/recovery-codes",
                handler=self.renew_recovery_codes,
                summary="Replace your recovery codes",
                tag=_TAG,
                quota=QUOTA,
                status=201,
                response=RecoveryCodesResponse,
                errors=(409,),
                recent_proof=True,
            ),
        ]

    async def reauthenticate(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/reauthentication`."""
        form, viewer = await request.body(ReauthenticationRequest), request.viewer
        own = (viewer.user_id, viewer.session)
        if form.password is not None:
            until = await self._reauthentication.by_password(*own, form.password, client=request.client)
        elif form.code is not None:
            until = await self._reauthentication.by_code(*own, form.code, client=request.client)
        else:
            until = await self._reauthentication.by_passkey(*own, form.credential or {}, client=request.client)
        return json_response(ReauthenticationResponse.from_model(until).to_bytes())

    async def change_password(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /users/me/password`."""
        form, viewer = await request.body(PasswordChangeRequest), request.viewer
        await self._password_change.change(
            viewer.user_id,
            viewer.session,
            current=form.current_password,
            new=form.new_password,
            end_apps=form.end_apps,
            client=request.client,
        )
        return empty_response()

    async def factor(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/totp`."""
        factor, left = await self._factor.state(request.viewer.user_id)
        at = None if factor is None or factor.confirmed_at is None else timestamp(factor.confirmed_at)
        state = TotpResponse(enabled=at is not None, enabled_at=at, recovery_codes=left)
        return json_response(state.to_bytes())

    async def begin_factor(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/totp`."""
        secret, uri = await self._factor.begin(request.viewer.user_id)
        return json_response(NewTotpResponse(secret=secret, uri=uri, qr_svg=qr_svg(uri)).to_bytes(), status=201)

    async def confirm_factor(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/totp/confirmation`."""
        form = await request.body(CodeRequest)
        codes = await self._factor.confirm(request.viewer.user_id, form.code, client=request.client)
        return json_response(RecoveryCodesResponse(recovery_codes=codes).to_bytes())

    async def remove_factor(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/totp`."""
        await self._factor.remove(request.viewer.user_id, client=request.client)
        return empty_response()

    async def renew_recovery_codes(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/recovery-codes`."""
        codes = await self._factor.renew_recovery_codes(request.viewer.user_id)
        return json_response(RecoveryCodesResponse(recovery_codes=codes).to_bytes(), status=201)
