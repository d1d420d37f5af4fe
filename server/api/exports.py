"""`/users/me/exports`: archives of the viewer's account, and `/exports/{id}/archive`, which downloads one."""

from __future__ import annotations

from aiohttp import web

from server.actions.exports import QUOTA, ExportActions
from server.edge.api_request import ApiRequest, json_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.export_responses import ExportResponse, ExportsResponse
from server.edge.requests import SignedExportQuery
from server.media.export_urls import ExportUrls
from server.media.sending import send_blob
from storage.blobs.keys import export_key
from storage.blobs.port import Blobs
from storage.errors import NotFoundError
from storage.exports import Export
from storage.ids import encode
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.archives import exports

_TAG = "exports"


class ExportsApi:
    """Request, list and download exports; `db` is the primary, which knows deleted accounts at once."""

    def __init__(self, db: Queryable, reads: Reads, blobs: Blobs, actions: ExportActions, urls: ExportUrls) -> None:
        self._db = db
        self._reads = reads
        self._blobs = blobs
        self._actions = actions
        self._urls = urls

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/users/me/exports",
                handler=self.request,
                summary="Request an archive with all data of your account, at most once a day",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                status=202,
                response=ExportResponse,
                errors=(409,),
                while_suspended=True,
                recent_proof=True,
            ),
            Endpoint(
                method="GET",
                path="/users/me/exports",
                handler=self.list_,
                summary="List your exports, with the URLs of their archives",
                tag=_TAG,
                response=ExportsResponse,
                while_suspended=True,
            ),
            Endpoint(
                method="GET",
                path="/exports/{id}/archive",
                handler=self.download,
                summary="Download an archive, a ZIP file, by its signed URL; one range of bytes is served",
                tag=_TAG,
                # An expired session must not prevent a download.
                auth=Auth.NONE,
                query=SignedExportQuery,
                errors=(404,),
            ),
        ]

    async def request(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/exports`."""
        return json_response(self._response(await self._actions.request(request.viewer.user_id)).to_bytes(), status=202)

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/exports`."""
        viewer_id = request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: exports.of_user(db, viewer_id))
        return json_response(ExportsResponse(items=[self._response(each) for each in found]).to_bytes())

    async def download(self, request: ApiRequest) -> web.StreamResponse:
        """Handle `GET /exports/{id}/archive`."""
        export_id, query = request.id(), request.query(SignedExportQuery)
        export = await exports.get(self._db, export_id)
        # The same response as for one that does not exist, so that nothing is learned from it.
        if not self._urls.verify(export, expires=query.exp, signature=query.sig):
            raise NotFoundError("export")
        try:
            blob = await self._blobs.open(export_key(encode(export_id)))
        except NotFoundError:
            raise NotFoundError("export") from None
        headers = {
            "Content-Type": "application/zip",
            "Content-Disposition": f'attachment; filename="picshare-{export.created_at:%Y-%m-%d}.zip"',
            "Cache-Control": "private, no-store",
        }
        return send_blob(request.http, blob, headers, tag=f"export-{encode(export_id)}")

    def _response(self, export: Export) -> ExportResponse:
        return ExportResponse.from_model(export, self._urls.url(export))
