"""Saved photos and collections: `/photos/{id}/save`, `/users/me/saved` and `/collections`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from server.actions.photo_collections import QUOTA, CollectionActions
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.collection_requests import (
    CollectionCreate,
    CollectionItemCreate,
    CollectionsQuery,
    CollectionUpdate,
)
from server.edge.endpoint import Auth, Endpoint
from server.edge.idempotency import Idempotency
from server.edge.paging import Cursors, Pager
from server.edge.photo_responses import CollectionListResponse, CollectionResponse, PhotoResponse
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse
from storage.models import Collection, Photo
from storage.postgres.database import Queryable, Transaction
from storage.postgres.reads import Reads
from storage.render.collection import collection_json
from storage.stores import collection_items, photo_collections
from storage.stores.collection_items import Places

_TAG = "collections"


class CollectionsApi:
    """The viewer's saved photos and collections, and public ones of others."""

    def __init__(
        self,
        reads: Reads,
        cursors: Cursors,
        serializer: PhotoSerializer,
        actions: CollectionActions,
        idempotency: Idempotency,
    ) -> None:
        self._reads = reads
        self._cursors = cursors
        self._serializer = serializer
        self._actions = actions
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        one, items = "/collections/{id}", "/collections/{id}/items"
        return [
            _change("PUT", "/photos/{id}/save", self.save, "Save a photo for yourself", stores=True),
            _change("DELETE", "/photos/{id}/save", self.unsave, "Remove a photo from those that you saved"),
            _photos("/users/me/saved", self.saved, "List the photos that you saved, the last one first", Auth.REQUIRED),
            Endpoint(
                method="GET",
                path="/collections",
                handler=self.list,
                summary="List your collections, newest first",
                tag=_TAG,
                query=CollectionsQuery,
                response=CollectionListResponse,
            ),
            Endpoint(
                method="POST",
                path="/collections",
                handler=self.create,
                summary="Create a collection",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=CollectionCreate,
                status=201,
                response=CollectionResponse,
                errors=(409,),
                idempotent=True,
            ),
            Endpoint(
                method="GET",
                path=one,
                handler=self.get,
                summary="Get a collection: your own, or a public one",
                tag=_TAG,
                auth=Auth.OPTIONAL,
                response=CollectionResponse,
                errors=(404,),
            ),
            Endpoint(
                method="PATCH",
                path=one,
                handler=self.edit,
                summary="Edit your collection: its title, who sees it, and the order of its photos",
                tag=_TAG,
                quota=QUOTA,
                body=CollectionUpdate,
                response=CollectionResponse,
                errors=(404,),
            ),
            _change("DELETE", one, self.delete, "Delete your collection; its photos stay"),
            _photos(items, self.items, "List the photos of a collection in their order"),
            Endpoint(
                method="POST",
                path=items,
                handler=self.add,
                summary="Put a photo in front of your collection; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=CollectionItemCreate,
                status=204,
                errors=(404, 409),
            ),
            _change("DELETE", items + "/{photo}", self.remove, "Remove a photo from your collection"),
        ]

    async def save(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /photos/{id}/save`."""
        await self._actions.save(request.viewer.user_id, request.id())
        return empty_response()

    async def unsave(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}/save`."""
        await self._actions.unsave(request.viewer.user_id, request.id())
        return empty_response()

    async def saved(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/saved`."""
        viewer_id = request.viewer.user_id

        async def find(db: Queryable) -> int | None:
            return await photo_collections.find_saved(db, viewer_id)

        return await self._photos_of(request, f"saved of {viewer_id}", find)

    async def list(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections`."""
        query, viewer_id = request.query(CollectionsQuery), request.viewer.user_id
        pager = Pager(self._cursors, f"collections of {viewer_id}")
        before, limit = pager.before(query.cursor), query.limit + 1

        async def own(db: Queryable) -> tuple[list[Collection], dict[int, Photo], Places | None]:
            found = await photo_collections.page(db, viewer_id, before=before, limit=limit)
            covers = await collection_items.covers(db, [each.id for each in found], viewer_id=viewer_id)
            asked = query.photo_id
            return found, covers, await collection_items.places(db, asked, owner_id=viewer_id) if asked else None

        found, photos, places = await self._reads.read(viewer_id, own)
        page, next_cursor = pager.cut(found, query.limit, lambda collection: collection.id)
        covers = dict(zip(photos, await self._serializer.serialize(list(photos.values()), viewer_id), strict=True))
        return list_response(
            [
                collection_json(
                    each, cover=covers.get(each.id), contains=None if places is None else each.id in places.collections
                )
                for each in page
            ],
            next_cursor,
            saved=None if places is None else places.saved,
        )

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /collections`."""
        form = await request.body(CollectionCreate)

        async def create(tx: Transaction) -> bytes:
            return collection_json(
                await self._actions.create(tx, request.viewer.user_id, title=form.title, public=form.public)
            )

        return await self._idempotency.create(request, orjson.dumps(form.model_dump()), create)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections/{id}`."""
        collection_id, viewer_id = request.id(), request.viewer_id
        found = await self._reads.read(
            viewer_id, lambda db: photo_collections.get(db, collection_id, viewer_id=viewer_id)
        )
        return json_response(collection_json(found))

    async def edit(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /collections/{id}`."""
        collection_id, form = request.id(), await request.body(CollectionUpdate)
        edited = await self._actions.edit(
            request.viewer.user_id, collection_id, title=form.title, public=form.public, order=form.order
        )
        return json_response(collection_json(edited))

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /collections/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()

    async def items(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections/{id}/items`."""
        collection_id, viewer_id = request.id(), request.viewer_id

        async def find(db: Queryable) -> int:
            return (await photo_collections.get(db, collection_id, viewer_id=viewer_id)).id

        return await self._photos_of(request, f"photos of {collection_id}", find)

    async def add(self, request: ApiRequest) -> web.Response:
        """Handle `POST /collections/{id}/items`."""
        collection_id, form = request.id(), await request.body(CollectionItemCreate)
        await self._actions.add(request.viewer.user_id, collection_id, form.photo_id)
        return empty_response()

    async def remove(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /collections/{id}/items/{photo}`."""
        await self._actions.remove(request.viewer.user_id, request.id(), request.id("photo"))
        return empty_response()

    async def _photos_of(
        self, request: ApiRequest, listing: str, find: Callable[[Queryable], Awaitable[int | None]]
    ) -> web.Response:
        query, viewer_id = request.query(ListQuery), request.viewer_id
        pager = Pager(self._cursors, listing)
        before, limit = pager.before(query.cursor), query.limit + 1

        async def photos(db: Queryable) -> list[tuple[int, Photo]]:
            collection_id = await find(db)
            if collection_id is None:
                return []
            return await collection_items.page(db, collection_id, viewer_id=viewer_id, before=before, limit=limit)

        found = await self._reads.read(viewer_id, photos)
        page, next_cursor = pager.cut(found, query.limit, lambda row: row[0])
        return list_response(await self._serializer.serialize([photo for _, photo in page], viewer_id), next_cursor)


def _change(
    method: str,
    path: str,
    handler: Callable[[ApiRequest], Awaitable[web.Response]],
    summary: str,
    *,
    stores: bool = False,
) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        tag=_TAG,
        quota=QUOTA,
        stores=stores,
        status=204,
        errors=(404, 409) if stores else (404,),
    )


def _photos(
    path: str, handler: Callable[[ApiRequest], Awaitable[web.Response]], summary: str, auth: Auth = Auth.OPTIONAL
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        tag=_TAG,
        auth=auth,
        query=ListQuery,
        response=ListResponse[PhotoResponse],
        errors=(404,),
    )
