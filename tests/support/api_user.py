"""A user of PicShare: over the REST API, and live with an unmodified SDK."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from centrifuge import (
    Client,
    ClientEventHandler,
    ConnectedContext,
    DisconnectedContext,
    ServerPublicationContext,
    ServerSubscribedContext,
)

from tests.support.eventually import eventually

API = "/api/v1"
PASSWORD = "correct horse battery"


class Response:
    """An HTTP response with its whole body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """Return the body's JSON, or None when there is none."""
        return json.loads(self.body) if self.body else None

    def expect(self, status: int) -> Any:
        """Return the JSON; fail with the body if the status is another one."""
        assert self.status == status, f"{self.status}: {self.body[:500]!r}"
        return self.json


class Live(ClientEventHandler):
    """One live connection and the publications that it received, in order."""

    def __init__(self, user: ApiUser, url: str) -> None:
        self.received: list[tuple[str, int, dict[str, Any]]] = []
        self.recovered: list[tuple[str, bool]] = []
        self.connects = 0
        self.codes: list[int] = []
        address = url.replace("http", "ws", 1) + "/connection/websocket"
        self.client = Client(
            address, events=self, get_token=user.fresh_token, min_reconnect_delay=0.05, max_reconnect_delay=0.5
        )

    async def on_connected(self, ctx: ConnectedContext) -> None:
        """Count a connect."""
        self.connects += 1

    async def on_disconnected(self, ctx: DisconnectedContext) -> None:
        """Record the code of a disconnection after which the SDK does not reconnect."""
        self.codes.append(ctx.code)

    async def on_subscribed(self, ctx: ServerSubscribedContext) -> None:
        """Record whether a stream was recovered."""
        self.recovered.append((ctx.channel, ctx.recovered))

    async def on_publication(self, ctx: ServerPublicationContext) -> None:
        """Record a publication of a server-side subscription."""
        self.received.append((ctx.channel, ctx.pub.offset, ctx.pub.data))

    def of(self, channel: str, kind: str) -> list[dict[str, Any]]:
        """Return the publications of a channel and type."""
        return [data for name, _, data in self.received if name == channel and data["type"] == kind]

    def has_photo(self, photo_id: str) -> bool:
        """Return whether a photo was published in the home feed."""
        return any(item["photo"]["id"] == photo_id for item in self.of("feed", "photo.new"))

    async def expect(self, channel: str, kind: str, *, within: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Wait for a publication of a type with these `fields`, and return it."""

        def find() -> dict[str, Any] | None:
            found = (item for item in self.of(channel, kind) if fields.items() <= item.items())
            return next(found, None)

        result = await eventually(find, within=within)
        assert result is not None
        return result

    async def close(self) -> None:
        """Close the connection."""
        await self.client.disconnect()


class ApiUser:
    """An account with a session; `url` is that of the API process, and may be changed at any time."""

    def __init__(self, session: aiohttp.ClientSession, url: str, name: str) -> None:
        self._session = session
        self.url = url
        self.name = name
        self.id = ""
        self.token = ""
        self._refresh = ""
        self._lives: list[Live] = []

    @classmethod
    async def sign_up(cls, session: aiohttp.ClientSession, url: str, name: str | None = None) -> ApiUser:
        """Sign up with the given username, or a unique one."""
        user = cls(session, url, name or f"p{uuid.uuid4().hex[:12]}")
        fields = {
            "username": user.name,
            "email": f"{user.name}@picshare.example",
            "password": PASSWORD,
        }
        response = (await user.call("POST", "/users", json=fields)).expect(201)
        user.id, user.token, user._refresh = (
            response["user"]["id"],
            response["access_token"],
            response["refresh_token"],
        )
        return user

    async def sign_in(self) -> None:
        """Open another session."""
        fields = {"username": self.name, "password": PASSWORD}
        self.token = ""
        response = (await self.call("POST", "/tokens", json=fields)).expect(201)
        self.token, self._refresh = response["access_token"], response["refresh_token"]

    async def call(self, method: str, path: str, **options: Any) -> Response:
        """Send a request and return the response; raise what aiohttp raises when there is none."""
        headers = {**options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        address = path if path.startswith("http") else self.url + (path if path.startswith("/media") else API + path)
        async with self._session.request(method, address, headers=headers, **options) as response:
            return Response(response.status, response.headers, await response.read())

    async def follow(self, other: ApiUser) -> None:
        """Follow another user."""
        assert (await self.call("PUT", f"/users/{other.id}/follow")).status == 204

    async def upload(
        self,
        picture: Path | bytes,
        caption: str = "",
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Upload an image in one request and return the photo."""
        response = await self.try_upload(picture, caption, key=key, headers=headers)
        photo: dict[str, Any] = response.expect(201)
        return photo

    async def try_upload(
        self,
        picture: Path | bytes,
        caption: str = "",
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Upload an image in one request and return the response, whatever its status."""
        form = aiohttp.FormData()
        data = picture if isinstance(picture, bytes) else await asyncio.to_thread(picture.read_bytes)
        form.add_field("file", data, filename="picture.jpg", content_type="image/jpeg")
        form.add_field("caption", caption)
        sent = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        return await self.call("POST", "/photos", data=form, headers=sent)

    async def post_pictures(self, *pictures: bytes, **fields: Any) -> dict[str, Any]:
        """Upload several images, post them as one photo, and return it; their texts name their places."""
        items = [
            {"upload_id": await self._store(data), "alt_text": f"picture {place}"}
            for place, data in enumerate(pictures, 1)
        ]
        photo: dict[str, Any] = (await self.call("POST", "/photos", json={"items": items, **fields})).expect(201)
        return photo

    async def _store(self, data: bytes) -> str:
        announced = {"content_type": "image/jpeg", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        upload = (await self.call("POST", "/uploads", json=announced)).expect(201)
        address = self.url + urlsplit(upload["url"])._replace(scheme="", netloc="").geturl()
        (await self.call(upload["method"], address, data=data, headers=upload["headers"])).expect(201)
        return str(upload["upload_id"])

    async def feed(self, *, pages: int = 100) -> list[dict[str, Any]]:
        """Return the whole home feed, page by page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(pages):
            query = {"limit": "100", **({"cursor": cursor} if cursor else {})}
            page = (await self.call("GET", "/feed", params=query)).expect(200)
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        return items

    async def fresh_token(self) -> str:
        """Return a valid access token; the SDK calls this when it has none or the old one has expired."""
        return self.token

    async def go_live(self, url: str | None = None) -> Live:
        """Connect with the SDK and wait until the streams are subscribed."""
        live = Live(self, url or self.url)
        self._lives.append(live)
        await live.client.connect()
        await eventually(lambda: live.connects and len(live.recovered) >= 2)
        return live

    async def leave(self) -> None:
        """Close every live connection."""
        for live in self._lives:
            await live.close()
