"""Images: variants for users that may see the photo, originals for their owners alone."""

from __future__ import annotations

from aiohttp import web

from server.edge.authentication import RequestAuthenticator
from server.edge.files import FileResponse
from server.identity.errors import SessionRevokedError
from server.media.urls import MediaUrls
from storage.blobs.port import Blob, Blobs, original_key, variant_key
from storage.errors import NotFoundError
from storage.limits.tickets import Tickets
from storage.postgres.database import Queryable
from storage.stores import photos

VARIANTS = ("thumb", "feed")
YEAR = 365 * 86400  # seconds
_CONTENT_TYPE = "image/jpeg"


class MediaRoutes:
    """`/media/<sha256>/<variant>.<ext>`."""

    def __init__(
        self, db: Queryable, blobs: Blobs, urls: MediaUrls, authentication: RequestAuthenticator, tickets: Tickets
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._urls = urls
        self._authentication = authentication
        self._tickets = tickets

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; the hash must be in lower case, so that each image has one URL."""
        base = "/media/{sha256:[0-9a-f]{64}}"
        return [
            web.get(base + "/{variant:thumb|feed}.jpg", self.variant),
            web.get(base + "/original.{extension:jpg|png}", self.original),
        ]

    async def variant(self, request: web.Request) -> web.StreamResponse:
        """Return a variant: public ones are cacheable for a year, others until their signature expires."""
        sha256, variant = request.match_info["sha256"], request.match_info["variant"]
        left = self._urls.seconds_left(request.path, request.query.get("exp", ""), request.query.get("sig", ""))
        if left and await photos.is_referenced(self._db, sha256):
            cache = f"private, max-age={left}, immutable"
        elif await photos.is_public(self._db, sha256):
            cache = f"public, max-age={YEAR}, immutable"
        else:
            raise NotFoundError("image")
        blob = await self._blobs.open(variant_key(sha256, variant))
        return await _send(request, blob, {"Content-Type": _CONTENT_TYPE, "Cache-Control": cache})

    async def original(self, request: web.Request) -> web.StreamResponse:
        """Return the original to its owner, as a download that browsers do not render."""
        sha256 = request.match_info["sha256"]
        viewer = self._authentication.viewer(request)
        if viewer is None or not await photos.is_owner(self._db, sha256, viewer.user_id):
            raise NotFoundError("image")
        if await self._tickets.is_revoked(viewer.session, viewer.user_id):
            raise SessionRevokedError
        blob = await self._blobs.open(original_key(sha256))
        extension = request.match_info["extension"]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{sha256[:16]}.{extension}"',
            "Cache-Control": "private, no-store",
        }
        return await _send(request, blob, headers)


async def _send(request: web.Request, blob: Blob, headers: dict[str, str]) -> web.StreamResponse:
    if blob.path is not None:
        return FileResponse(blob.path, headers=headers)
    response = web.StreamResponse(headers=headers)
    response.content_length = blob.size
    await response.prepare(request)
    async for chunk in blob.chunks():
        await response.write(chunk)
    await response.write_eof()
    return response
