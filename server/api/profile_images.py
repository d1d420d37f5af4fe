"""The viewer's avatar and banner: upload, state, removal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.actions.profile_images import REMOVE_QUOTA, REPLACE_QUOTA, ProfileImageActions, ProfileImageStatus
from server.api.staging import staged
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import BodyFormat, Endpoint
from server.edge.media_responses import ProfileImageResponse
from server.edge.requests import ImageUpload
from server.media.uploads import UploadReceiver
from storage.models import ProfileImageKind
from storage.render.user_summary import avatar_url, banner_url

_URLS = {ProfileImageKind.AVATAR: avatar_url, ProfileImageKind.BANNER: banner_url}
_Handler = Callable[[ApiRequest, ProfileImageKind], Awaitable[web.Response]]


class ProfileImagesApi:
    """`/users/me/avatar` and `/users/me/banner`."""

    def __init__(self, actions: ProfileImageActions, uploads: UploadReceiver) -> None:
        self._actions = actions
        self._uploads = uploads

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of these resources."""
        return [endpoint for kind in ProfileImageKind for endpoint in self._endpoints(kind)]

    def _endpoints(self, kind: ProfileImageKind) -> list[Endpoint]:
        path = f"/users/me/{kind}"

        def of_kind(handler: _Handler) -> Callable[[ApiRequest], Awaitable[web.StreamResponse]]:
            return lambda request: handler(request, kind)

        return [
            Endpoint(
                method="GET",
                path=path,
                handler=of_kind(self.get),
                summary=f"Get the state of the newest upload of your {kind}",
                tag="accounts",
                response=ProfileImageResponse,
            ),
            Endpoint(
                method="PUT",
                path=path,
                handler=of_kind(self.replace),
                summary=f"Replace your {kind}; it is shown once it is processed",
                tag="accounts",
                quota=REPLACE_QUOTA,
                stores=True,
                body=ImageUpload,
                body_format=BodyFormat.MULTIPART,
                status=202,
                response=ProfileImageResponse,
                errors=(408, 413, 415),
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handler=of_kind(self.remove),
                summary=f"Remove your {kind}",
                tag="accounts",
                quota=REMOVE_QUOTA,
                status=204,
            ),
        ]

    async def get(self, request: ApiRequest, kind: ProfileImageKind) -> web.Response:
        """Handle `GET /users/me/avatar` and `/banner`."""
        return _response(kind, await self._actions.status(request.viewer.user_id, kind))

    async def replace(self, request: ApiRequest, kind: ProfileImageKind) -> web.Response:
        """Handle `PUT /users/me/avatar` and `/banner`."""
        async with self._uploads.receive(request.http) as upload:
            ImageUpload.model_validate(upload.texts)
            status = await self._actions.replace(request.viewer.user_id, kind, staged(upload))
            return _response(kind, status, status_code=202)

    async def remove(self, request: ApiRequest, kind: ProfileImageKind) -> web.Response:
        """Handle `DELETE /users/me/avatar` and `/banner`."""
        await self._actions.remove(request.viewer.user_id, kind)
        return empty_response()


def _response(kind: ProfileImageKind, status: ProfileImageStatus, *, status_code: int = 200) -> web.Response:
    fields = ProfileImageResponse(state=status.state, reason=status.reason, url=_URLS[kind](status.user))
    return json_response(fields.to_bytes(), status=status_code)
