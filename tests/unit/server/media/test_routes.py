"""Images from a blob store without local files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.api_request import Viewer
from server.media.originals import OriginalRoutes
from storage.blobs.port import Blob
from storage.models import Role

CHUNKS = [b"first ", b"second ", b"third"]
SHA256 = "ab" * 32
WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Everything:
    """An owner's database, store, session and tokens in one."""

    async def fetchval(self, sql: str, *_: object) -> bool:
        """Return that the photo is the viewer's, and not in quarantine."""
        return "content_leases" not in sql

    async def is_revoked(self, *_: object) -> bool:
        """Return that the session goes on."""
        return False

    async def viewer(self, _request: web.BaseRequest) -> Viewer:
        """Return the owner."""
        return Viewer(user_id=1, user_text="1", session="s", role=Role.USER, expires_at=0, by_cookie=False)

    async def open(self, _key: str) -> Blob:
        """Return an object that has no file here."""
        size = sum(map(len, CHUNKS))
        return Blob(size=size, content_type="image/jpeg", modified=WRITTEN, path=None, chunks=self._chunks)

    async def _chunks(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        for chunk in (b"".join(CHUNKS)[start:end],) if start or end else CHUNKS:
            yield chunk


async def test_an_image_of_a_remote_store_is_sent_in_chunks() -> None:
    """The response has all bytes, their number, and the headers of an original."""
    everything = cast(Any, Everything())
    app = web.Application()
    app.add_routes(OriginalRoutes(everything, everything, everything, everything).routes())
    async with TestClient(TestServer(app)) as client:
        for _ in range(2):  # the connection can be used again
            response = await client.get(f"/media/{SHA256}/original.jpg")
            assert await response.read() == b"".join(CHUNKS)
            assert response.headers["Content-Length"] == str(sum(map(len, CHUNKS)))
            assert response.headers["Cache-Control"] == "private, no-store"
            assert response.headers["Content-Disposition"] == f'attachment; filename="{SHA256[:16]}.jpg"'
