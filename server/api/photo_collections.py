"""Changes of saved photos and collections; `server.api.collection_lists` has their lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from server.actions.photo_collections import QUOTA, CollectionActions
from server.api.collection_lists import TAG
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.collection_requests import (
    CollectionCreate,
    CollectionItemCreate,
    CollectionItemMove,
    CollectionUpdate,
)
from server.edge.endpoint import Endpoint
from server.edge.idempotency import Creation, Idempotency, created_response
from server.edge.photo_responses import CollectionResponse
from server.edge.problem import bad_field
from storage.postgres.database import Transaction
from storage.render.collection import collection_json


class CollectionsApi:
    """Changes of the viewer's saved photos and collections."""

    def __init__(self, actions: CollectionActions, idempotency: Idempotency) -> None:
        self._actions = actions
        self._idempotency = idempotency

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        one, items = "/collections/{id}", "/collections/{id}/items"
        return [
            _change("PUT", "/photos/{id}/save", self.save, "Save a photo for yourself", stores=True),
            _change("DELETE", "/photos/{id}/save", self.unsave, "Remove a photo from those that you saved"),
            Endpoint(
                method="POST",
                path="/collections",
                handler=self.create,
                summary="Create a collection",
                tag=TAG,
                quota=QUOTA,
                stores=True,
                body=CollectionCreate,
                status=201,
                response=CollectionResponse,
                errors=(409,),
                idempotent=True,
            ),
            Endpoint(
                method="PATCH",
                path=one,
                handler=self.edit,
                summary="Edit your collection: its title, who sees it, and the order of its photos",
                tag=TAG,
                quota=QUOTA,
                body=CollectionUpdate,
                response=CollectionResponse,
                errors=(404,),
            ),
            _change("DELETE", one, self.delete, "Delete your collection; its photos stay"),
            Endpoint(
                method="POST",
                path=items,
                handler=self.add,
                summary="Put a photo in front of your collection; repeating it changes nothing",
                tag=TAG,
                quota=QUOTA,
                stores=True,
                body=CollectionItemCreate,
                status=204,
                errors=(404, 409),
            ),
            Endpoint(
                method="PATCH",
                path=items + "/{photo}",
                handler=self.move,
                summary="Move a photo of your collection behind another one, or in front; repeating it changes nothing",
                tag=TAG,
                quota=QUOTA,
                body=CollectionItemMove,
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

    async def create(self, request: ApiRequest) -> web.Response:
        """Handle `POST /collections`."""
        form = await request.body(CollectionCreate)

        async def create(tx: Transaction) -> bytes:
            return collection_json(
                await self._actions.create(tx, request.viewer.user_id, title=form.title, public=form.public)
            )

        return created_response(
            await self._idempotency.create(Creation.of(request), orjson.dumps(form.model_dump()), create)
        )

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

    async def add(self, request: ApiRequest) -> web.Response:
        """Handle `POST /collections/{id}/items`."""
        collection_id, form = request.id(), await request.body(CollectionItemCreate)
        await self._actions.add(request.viewer.user_id, collection_id, form.photo_id)
        return empty_response()

    async def move(self, request: ApiRequest) -> web.Response:
        """Handle `PATCH /collections/{id}/items/{photo}`."""
        collection_id, photo_id = request.id(), request.id("photo")
        after_id = (await request.body(CollectionItemMove)).after
        if after_id == photo_id:
            raise bad_field("after", "A photo cannot be behind itself. Name another one, or null.", status=422)
        await self._actions.move(request.viewer.user_id, collection_id, photo_id, after_id=after_id)
        return empty_response()

    async def remove(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /collections/{id}/items/{photo}`."""
        await self._actions.remove(request.viewer.user_id, request.id(), request.id("photo"))
        return empty_response()


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
        tag=TAG,
        quota=QUOTA,
        stores=stores,
        status=204,
        errors=(404, 409) if stores else (404,),
    )
