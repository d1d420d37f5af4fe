"""An app that knows Mastodon's interface, acting for a user of a running API."""

from __future__ import annotations

from typing import Any

from aiohttp import FormData

from server.identity.opaque_tokens import TokenKind, digest, new_token
from storage import ids
from storage.stores.credentials import api_tokens
from tests.support.api import Api
from tests.support.api_user import ApiUser, Response
from tests.support.pictures import encoded, halves

SCOPES = ("read", "write", "follow", "push")


async def register_app(api: Api, **changed: Any) -> dict[str, Any]:
    """Let an app register itself, and return what it is told."""
    form = {"client_name": "Tests", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": " ".join(SCOPES)}
    async with api.session.post(f"{api.url}/api/v1/apps", json={**form, **changed}) as response:
        registered: dict[str, Any] = await response.json()
        assert response.status == 200, registered
    return registered


class AppUser:
    """A user's app, whose token is stored without the user's approval; `id` is the decimal one of the account."""

    def __init__(self, api: Api, user: ApiUser, token: str) -> None:
        self._api = api
        self.user = user
        self.token = token
        self.id = str(ids.decode(user.id))

    @classmethod
    async def authorized(
        cls, api: Api, user: ApiUser, app: dict[str, Any], scopes: tuple[str, ...] = SCOPES
    ) -> AppUser:
        """Return the user's app with a token of these scopes."""
        user_id = ids.decode(user.id)
        token = new_token(TokenKind.ACCESS, ids.shard_of(user_id))
        stored = api_tokens.NewToken(sha256=digest(token), scopes=scopes, client_id=int(app["id"]))
        async with api.services.db.transaction() as tx:
            await api_tokens.open_session(tx, user_id, stored)
        return cls(api, user, token)

    async def call(self, method: str, path: str, **options: Any) -> Response:
        """Send a request with the token; the path begins below `/api`."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        address = f"{self._api.url}/api{path}"
        async with self._api.session.request(method, address, headers=headers, **options) as response:
            return Response(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Any:
        """Return the entity at a path."""
        return (await self.call("GET", path, **options)).expect(200)

    async def upload(self, description: str = "") -> dict[str, Any]:
        """Upload a picture, each another one."""
        form = FormData()
        form.add_field("file", encoded(halves(640 + next(_widths), 427)), filename="a.jpg", content_type="image/jpeg")
        form.add_field("description", description)
        media: dict[str, Any] = (await self.call("POST", "/v2/media", data=form)).expect(200)
        return media

    async def post(self, text: str = "", **fields: Any) -> dict[str, Any]:
        """Post a photo, and do what the media worker does."""
        media = await self.upload()
        form = {"status": text, "media_ids": [media["id"]], **fields}
        status: dict[str, Any] = (await self.call("POST", "/v1/statuses", json=form)).expect(200)
        await self._api.finish({"id": ids.encode(int(status["id"]))})
        return status

    async def comment(self, status_id: str, text: str) -> dict[str, Any]:
        """Comment on a photo, or reply to a comment."""
        form = {"status": text, "in_reply_to_id": status_id}
        status: dict[str, Any] = (await self.call("POST", "/v1/statuses", json=form)).expect(200)
        return status


_widths = iter(range(10_000))
