"""Lists of saved photos and collections: the viewer's own, and public ones of others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from aiohttp import web

from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.collection_requests import CollectionsQuery, SavedStateQuery
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.photo_responses import (
    CollectionListResponse,
    CollectionResponse,
    PhotoResponse,
    SavedStateResponse,
)
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse
from storage.ids import encode
from storage.models import Collection, Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.collection import collection_json
from storage.stores.accounts import users
from storage.stores.photos import photo_lists
from storage.stores.saved import collection_items, photo_collections
from storage.stores.saved.collection_items import Places

TAG = "collections"


class CollectionListsApi:
    """`/photos/saved-state`, `/users/me/saved`, `/users/{id}/collections`, and reading `/collections`."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._reads = reads
        self._cursors = cursors
        self._serializer = serializer

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/photos/saved-state",
                handler=self.saved_state,
                summary="Read which of some photos you have saved",
                tag=TAG,
                query=SavedStateQuery,
                response=SavedStateResponse,
            ),
            _photos("/users/me/saved", self.saved, "List the photos that you saved, the last one first", Auth.REQUIRED),
            Endpoint(
                method="GET",
                path="/collections",
                handler=self.list,
                summary="List your collections, newest first",
                tag=TAG,
                query=CollectionsQuery,
                response=CollectionListResponse,
            ),
            Endpoint(
                method="GET",
                path="/collections/{id}",
                handler=self.get,
                summary="Get a collection: your own, or a public one",
                tag=TAG,
                auth=Auth.OPTIONAL,
                response=CollectionResponse,
                errors=(404,),
            ),
            _photos("/collections/{id}/items", self.items, "List the photos of a collection in their order"),
            Endpoint(
                method="GET",
                path="/users/{id}/collections",
                handler=self.of_user,
                summary="List a user's public collections, or all your own, newest first",
                tag=TAG,
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[CollectionResponse],
                errors=(404,),
                by_name=True,
            ),
        ]

    async def saved(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/saved`."""
        viewer_id = request.viewer.user_id

        async def find(db: Queryable) -> int | None:
            return await photo_collections.find_saved(db, viewer_id)

        return await self._photos_of(request, f"saved of {viewer_id}", find)

    async def saved_state(self, request: ApiRequest) -> web.Response:
        """Handle `GET /photos/saved-state`."""
        photo_ids, viewer_id = request.query(SavedStateQuery).ids, request.viewer.user_id

        async def read(db: Queryable) -> set[int]:
            saved = await collection_items.saved_among(db, photo_ids, owner_id=viewer_id)
            # Usually none is saved, and this reads nothing. One that is hidden now must not show that it still exists.
            return await photo_lists.readable_among(db, sorted(saved), viewer_id=viewer_id)

        saved = await self._reads.read(viewer_id, read)
        return json_response(SavedStateResponse(saved=[encode(photo_id) for photo_id in sorted(saved)]).to_bytes())

    async def list(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections`."""
        query, viewer_id = request.query(CollectionsQuery), request.viewer.user_id
        pager, asked = Pager(self._cursors, f"collections of {viewer_id}"), query.photo_id

        async def read(db: Queryable) -> tuple[_Covered, Places | None]:
            return await _covered(db, viewer_id, viewer_id, pager, query), await _places(db, asked, viewer_id)

        found, places = await self._reads.read(viewer_id, read)
        kept = None if places is None else places.collections
        return await self._collections(
            found, pager, query, viewer_id, kept=kept, saved=None if places is None else places.saved
        )

    async def of_user(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{username or id}/collections`."""
        query, viewer_id, name = request.query(ListQuery), request.viewer_id, request.name_or_id()

        async def read(db: Queryable) -> tuple[_Covered, Pager]:
            user = await users.find(db, name, viewer_id=viewer_id)
            pager = Pager(self._cursors, f"collections of {user.id}")
            return await _covered(db, user.id, viewer_id, pager, query), pager

        found, pager = await self._reads.read(viewer_id, read)
        return await self._collections(found, pager, query, viewer_id)

    async def get(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections/{id}`."""
        collection_id, viewer_id = request.id(), request.viewer_id
        found = await self._reads.read(
            viewer_id, lambda db: photo_collections.get(db, collection_id, viewer_id=viewer_id)
        )
        return json_response(collection_json(found))

    async def items(self, request: ApiRequest) -> web.Response:
        """Handle `GET /collections/{id}/items`."""
        collection_id, viewer_id = request.id(), request.viewer_id

        async def find(db: Queryable) -> int:
            return (await photo_collections.get(db, collection_id, viewer_id=viewer_id)).id

        return await self._photos_of(request, f"photos of {collection_id}", find)

    async def _collections(
        self,
        found: _Covered,
        pager: Pager,
        query: ListQuery,
        viewer_id: int | None,
        *,
        kept: Set[int] | None = None,
        **members: Any,
    ) -> web.Response:
        """Return a page; `kept` are the collections that contain the photo of the query, None without one."""
        photos = found.covers
        page, next_cursor = pager.cut(found.collections, query.limit, lambda collection: collection.id)
        covers = dict(zip(photos, await self._serializer.serialize(list(photos.values()), viewer_id), strict=True))
        return list_response(
            [
                collection_json(each, cover=covers.get(each.id), contains=None if kept is None else each.id in kept)
                for each in page
            ],
            next_cursor,
            **members,
        )

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


class _Covered(NamedTuple):
    """Collections, one more than a page if there are more, and the covers of those that have one."""

    collections: Sequence[Collection]
    covers: Mapping[int, Photo]


async def _covered(db: Queryable, owner_id: int, viewer_id: int | None, pager: Pager, query: ListQuery) -> _Covered:
    found = await photo_collections.page(
        db, owner_id, viewer_id=viewer_id, before=pager.before(query.cursor), limit=query.limit + 1
    )
    return _Covered(found, await collection_items.covers(db, [each.id for each in found], viewer_id=viewer_id))


async def _places(db: Queryable, photo_id: int | None, viewer_id: int) -> Places | None:
    """Return where the viewer keeps a photo, None without one; nowhere, if the viewer may not see it."""
    if photo_id is None:
        return None
    if not await photo_lists.readable_among(db, [photo_id], viewer_id=viewer_id):
        return Places()
    return await collection_items.places(db, photo_id, owner_id=viewer_id)


def _photos(
    path: str, handler: Callable[[ApiRequest], Awaitable[web.Response]], summary: str, auth: Auth = Auth.OPTIONAL
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        tag=TAG,
        auth=auth,
        query=ListQuery,
        response=ListResponse[PhotoResponse],
        errors=(404,),
    )
