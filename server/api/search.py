"""Search: users, tags and photos by what a user types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson
from aiohttp import web

from server.actions.search import SEARCH_QUOTA, Results, SearchActions
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, json_response, list_response
from server.edge.endpoint import Auth, Endpoint
from server.edge.paging import BadCursorError, Cursors, Pager
from server.edge.requests import SearchKind, WordSearchQuery
from server.edge.search_responses import (
    FoundPhotosResponse,
    FoundTagResponse,
    FoundTagsResponse,
    FoundUserResponse,
    FoundUsersResponse,
    SearchResponse,
)
from storage.search_text import SearchedText, parse
from storage.stores.discovery.tag_search import FoundTag
from storage.stores.discovery.user_search import FoundUser

R = TypeVar("R", FoundUser, FoundTag)


class SearchApi:
    """`/search`."""

    def __init__(self, actions: SearchActions, cursors: Cursors, serializer: PhotoSerializer) -> None:
        self._actions = actions
        self._cursors = cursors
        self._serializer = serializer

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/search",
                handler=self.search,
                summary="Find users, tags and photos by their words, parts of words and misspelt names",
                tag="search",
                auth=Auth.OPTIONAL,
                quota=SEARCH_QUOTA,
                query=WordSearchQuery,
                response=SearchResponse,
                alternatives=(FoundUsersResponse, FoundTagsResponse, FoundPhotosResponse),
                tagged=True,
            ),
        ]

    async def search(self, request: ApiRequest) -> web.Response:
        """Handle `GET /search?q=&type=`."""
        query = request.query(WordSearchQuery)
        listing = f"search {query.type} {query.q}"
        searched = parse(query.q)
        match query.type:
            case SearchKind.USERS:
                response = await self._users(request, searched, listing, query)
            case SearchKind.TAGS:
                response = await self._tags(request, searched, listing, query)
            case SearchKind.PHOTOS:
                response = await self._photos(request, searched, listing, query)
            case SearchKind.ALL:
                if query.cursor is not None:
                    raise BadCursorError("Only a search of one type has a cursor.")
                response = await self._all(request, searched, query.limit)
        return response

    async def _users(
        self, request: ApiRequest, searched: SearchedText, listing: str, query: WordSearchQuery
    ) -> web.Response:
        results, after = Results(), self._position(listing, query.cursor)
        await self._actions.users(searched, results, request.viewer_id)
        page, cursor = self._cut(listing, results.users, after, query.limit)
        return list_response(_items(page, FoundUserResponse.from_model), cursor, partial=results.partial)

    async def _tags(
        self, request: ApiRequest, searched: SearchedText, listing: str, query: WordSearchQuery
    ) -> web.Response:
        results, after = Results(), self._position(listing, query.cursor)
        await self._actions.tags(searched, results, request.viewer_id)
        page, cursor = self._cut(listing, results.tags, after, query.limit)
        return list_response(_items(page, FoundTagResponse.from_model), cursor, partial=results.partial)

    async def _photos(
        self, request: ApiRequest, searched: SearchedText, listing: str, query: WordSearchQuery
    ) -> web.Response:
        results, pager = Results(), Pager(self._cursors, listing)
        before, viewer_id = pager.before(query.cursor), request.viewer_id
        await self._actions.photos(searched, results, viewer_id, before=before, limit=query.limit + 1)
        page, cursor = pager.cut(results.photos, query.limit, lambda photo: photo.id)
        return list_response(await self._serializer.serialize(page, viewer_id), cursor, partial=results.partial)

    async def _all(self, request: ApiRequest, searched: SearchedText, limit: int) -> web.Response:
        results, viewer_id = Results(), request.viewer_id
        await self._actions.users(searched, results, viewer_id)
        await self._actions.tags(searched, results, viewer_id)
        await self._actions.photos(searched, results, viewer_id, before=None, limit=limit)
        lists = {
            "users": _items(results.users[:limit], FoundUserResponse.from_model),
            "tags": _items(results.tags[:limit], FoundTagResponse.from_model),
            "photos": await self._serializer.serialize(results.photos, viewer_id),
        }
        return json_response(
            orjson.dumps(
                {
                    **{name: [orjson.Fragment(item) for item in items] for name, items in lists.items()},
                    "partial": results.partial,
                }
            )
        )

    def _position(self, listing: str, cursor: str | None) -> tuple[int, ...]:
        """Return the position after which a page begins."""
        text = self._cursors.decode_text(listing, cursor)
        return () if text is None else tuple(map(int, text.split()))

    def _cut(
        self, listing: str, results: Sequence[R], after: tuple[int, ...], limit: int
    ) -> tuple[list[R], str | None]:
        """Return the results of a page, and the cursor of the next one."""
        left = [one for one in results if one.position > after]
        page = left[:limit]
        if len(left) <= limit:
            return page, None
        return page, self._cursors.encode_text(listing, " ".join(map(str, page[-1].position)))


def _items(found: Sequence[R], describe: Callable[[R], Any]) -> list[bytes]:
    return [describe(one).to_bytes() for one in found]
