"""`PATCH /api/v1/accounts/update_credentials`: the viewer's name, text, privacy, avatar and header."""

from __future__ import annotations

from aiohttp import web

from server.actions.accounts import UPDATE_QUOTA, AccountActions
from server.actions.profile_images import ProfileImageActions
from server.api.staging import staged
from server.edge.fields import Bio, DisplayName
from server.edge.requests import QueryModel
from server.mastodon.accounts import credential_account
from server.mastodon.endpoint import Route, route
from server.mastodon.parameters import nested
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.texts import Links
from server.media.uploads import UploadReceiver
from storage.models import ProfileImageKind, User
from storage.postgres.database import Database
from storage.stores.accounts import users

_IMAGES = {"avatar": ProfileImageKind.AVATAR, "header": ProfileImageKind.BANNER}


class ProfileForm(QueryModel):
    """What can be changed; `locked` is a private account. What PicShare does not have is ignored."""

    display_name: DisplayName | None = None
    note: Bio | None = None
    locked: bool | None = None
    discoverable: bool | None = None


class ProfileRoutes:
    """Changes of the viewer's profile."""

    def __init__(
        self,
        db: Database,
        accounts: AccountActions,
        images: ProfileImageActions,
        receiver: UploadReceiver,
        links: Links,
    ) -> None:
        self._db = db
        self._accounts = accounts
        self._images = images
        self._receiver = receiver
        self._links = links

    def routes(self) -> list[Route]:
        """Return the routes."""
        path, scope = "/api/v1/accounts/update_credentials", "write:accounts"
        return [
            route("PATCH", path, self.update, scope, quota=UPDATE_QUOTA, stores=True),
            route("DELETE", "/api/v1/profile/avatar", self.remove_avatar, scope, quota=UPDATE_QUOTA),
            route("DELETE", "/api/v1/profile/header", self.remove_header, scope, quota=UPDATE_QUOTA),
        ]

    async def update(self, request: MastodonRequest) -> web.Response:
        """Change the profile. New images are shown once they are processed."""
        viewer_id = request.viewer.user_id
        if request.http.content_type != "multipart/form-data":
            form = await request.form(ProfileForm)
            return self._response(await self._update(viewer_id, form))
        async with self._receiver.receive_images(request.http, _IMAGES) as images:
            pairs = [(name, value) for name, values in images.texts.items() for value in values]
            form = request.fitted(ProfileForm, nested(pairs))
            for name, upload in images.files.items():
                await self._images.replace(viewer_id, _IMAGES[name], staged(upload))
        return self._response(await self._update(viewer_id, form))

    async def remove_avatar(self, request: MastodonRequest) -> web.Response:
        """Remove the avatar."""
        return await self._remove(request.viewer.user_id, ProfileImageKind.AVATAR)

    async def remove_header(self, request: MastodonRequest) -> web.Response:
        """Remove the header."""
        return await self._remove(request.viewer.user_id, ProfileImageKind.BANNER)

    async def _remove(self, viewer_id: int, kind: ProfileImageKind) -> web.Response:
        await self._images.remove(viewer_id, kind)
        return self._response(await users.get(self._db, viewer_id))

    async def _update(self, viewer_id: int, form: ProfileForm) -> User:
        # An empty name would be none; Mastodon then shows the username.
        name = form.display_name or None
        if (name, form.note, form.locked, form.discoverable) == (None,) * 4:
            return await users.get(self._db, viewer_id)
        return await self._accounts.update(
            viewer_id, display_name=name, bio=form.note, private=form.locked, searchable=form.discoverable
        )

    def _response(self, user: User) -> web.Response:
        return respond(credential_account(user, self._links))
