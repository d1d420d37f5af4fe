"""`/users/me/imports`: archives from elsewhere, and what has become of each of their photos."""

from __future__ import annotations

from aiohttp import web

from server.actions.imports import QUOTA, ImportActions
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.import_requests import ImportItemsQuery, ImportRequest
from server.edge.import_responses import ImportItemResponse, ImportResponse, ImportsResponse
from server.edge.paging import Cursors
from server.edge.responses import ListResponse
from storage.imports import ImportItem
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.archives import imports
from storage.stores.photos import import_items

_TAG = "imports"


class ImportsApi:
    """Request, list and follow imports."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: ImportActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/users/me/imports",
                handler=self.request,
                summary="Import the photos of an archive that was uploaded by tus: an export of PicShare or Instagram",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=ImportRequest,
                status=202,
                response=ImportResponse,
                errors=(404, 409),
            ),
            Endpoint(
                method="GET",
                path="/users/me/imports",
                handler=self.list_,
                summary="List your imports",
                tag=_TAG,
                response=ImportsResponse,
            ),
            Endpoint(
                method="GET",
                path="/users/me/imports/{id}",
                handler=self.get,
                summary="Get an import of yours",
                tag=_TAG,
                response=ImportResponse,
                errors=(404,),
            ),
            Endpoint(
                method="GET",
                path="/users/me/imports/{id}/items",
                handler=self.items,
                summary="List what has become of the photos of an archive, in its order",
                tag=_TAG,
                query=ImportItemsQuery,
                response=ListResponse[ImportItemResponse],
                errors=(404,),
            ),
        ]

    async def request(self, request: ApiRequest) -> web.Response:
        """Handle `POST /users/me/imports`."""
        form = await request.body(ImportRequest)
        found = await self._actions.request(request.viewer.user_id, form.upload_id, audience=form.audience)
        return json_response(ImportResponse.from_model(found).to_bytes(), status=202)

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/imports`."""
        viewer_id = request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: imports.of_user(db, viewer_id))
        return json_response(ImportsResponse(items=[ImportResponse.from_model(each) for each in found]).to_bytes())

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/imports/{id}`."""
        import_id, viewer_id = request.id(), request.viewer.user_id
        found = await self._reads.read(viewer_id, lambda db: imports.get(db, import_id, user_id=viewer_id))
        return json_response(ImportResponse.from_model(found).to_bytes())

    async def items(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/imports/{id}/items`."""
        import_id, viewer_id, query = request.id(), request.viewer.user_id, request.query(ImportItemsQuery)
        listing = f"items of {import_id} {query.state}"
        after = self._cursors.decode(listing, query.cursor) or 0

        async def read(db: Queryable) -> list[ImportItem]:
            await imports.get(db, import_id, user_id=viewer_id)
            return await import_items.page(db, import_id, state=query.state, after=after, limit=query.limit + 1)

        found = await self._reads.read(viewer_id, read)
        page = found[: query.limit]
        following = self._cursors.encode(listing, page[-1].position) if len(found) > len(page) else None
        return list_response([ImportItemResponse.from_model(item).to_bytes() for item in page], following)
