"""Originals: for their owners alone."""

from __future__ import annotations

import structlog
from aiohttp import web

from server.edge.api_request import Viewer
from server.edge.authentication import RequestAuthenticator
from server.edge.guard import require_scope
from server.identity.errors import SessionRevokedError
from server.media.sending import send_blob
from storage.blobs.content_types import EXTENSIONS
from storage.blobs.keys import original_key
from storage.blobs.port import Blob, Blobs
from storage.errors import NotFoundError, UnavailableError
from storage.limits.tickets import Tickets
from storage.postgres.database import Queryable
from storage.stores.credentials import sessions
from storage.stores.media import quarantine
from storage.stores.photos import photo_contents

_SCOPE = "read:photos"  # of the tokens of applications

log = structlog.get_logger(__name__)


class OriginalRoutes:
    """`/media/<sha256>/original.<ext>`."""

    def __init__(self, db: Queryable, blobs: Blobs, authentication: RequestAuthenticator, tickets: Tickets) -> None:
        self._db = db
        self._blobs = blobs
        self._authentication = authentication
        self._tickets = tickets

    def routes(self) -> list[web.RouteDef]:
        """Return the route; the hash must be in lower case, as in `storage.blobs.keys`."""
        extensions = "|".join(EXTENSIONS.values())
        return [web.get(f"/media/{{sha256:[0-9a-f]{{64}}}}/original.{{extension:{extensions}}}", self.original)]

    async def original(self, request: web.Request) -> web.StreamResponse:
        """Return the original to its owner, as a download that browsers do not render."""
        sha256 = request.match_info["sha256"]
        viewer = await self._authentication.viewer(request)
        if viewer is not None:
            require_scope(viewer.scopes, _SCOPE)
        if viewer is None or not await photo_contents.is_owner(self._db, sha256, viewer.user_id):
            raise NotFoundError("image")
        if await quarantine.has(self._db, sha256):
            raise NotFoundError("image")
        if await self._is_revoked(viewer):
            raise SessionRevokedError
        blob = await self._open(sha256)
        extension = request.match_info["extension"]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{sha256[:16]}.{extension}"',
            "Cache-Control": "private, no-store",
        }
        return send_blob(request, blob, headers, tag=sha256)

    async def _is_revoked(self, viewer: Viewer) -> bool:
        try:
            return await self._tickets.is_revoked(viewer.session, viewer.user_id)
        except UnavailableError as error:
            if error.engine != "redis":
                raise
            return not await sessions.is_open(self._db, viewer.user_id, viewer.session)

    async def _open(self, sha256: str) -> Blob:
        """Return an original; raise `UnavailableError` if the store has lost it, as it may be restored."""
        try:
            return await self._blobs.open(original_key(sha256))
        except NotFoundError as error:
            log.error("original_missing", sha256=sha256)  # noqa: TRY400 - a loss, not a fault of this program
            raise UnavailableError("blobs", "an original is missing") from error
