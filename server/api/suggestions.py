"""`/suggestions/users`: accounts that the viewer might want to follow."""

from __future__ import annotations

from aiohttp import web

from server.actions.suggestions import QUOTA, SuggestionActions
from server.edge.api_request import ApiRequest, empty_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors
from server.edge.requests import ListQuery
from server.edge.responses import SuggestedUserResponse, SuggestionsResponse
from storage.models import User
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.timestamps import timestamp
from storage.stores.discovery import account_suggestions
from storage.stores.discovery.account_suggestions import MadeSuggestions

_LISTING = "suggested users"


class SuggestionsApi:
    """The suggestions of the viewer."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: SuggestionActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/suggestions/users",
                handler=self.users,
                summary="List accounts that you might want to follow",
                tag="suggestions",
                query=ListQuery,
                response=SuggestionsResponse,
            ),
            Endpoint(
                method="DELETE",
                path="/suggestions/users/{id}",
                handler=self.dismiss,
                summary="Never be suggested a user again",
                tag="suggestions",
                quota=QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def users(self, request: ApiRequest) -> web.Response:
        """Handle `GET /suggestions/users`."""
        query, viewer_id = request.query(ListQuery), request.viewer.user_id
        after = self._cursors.decode(_LISTING, query.cursor) or 0

        async def read(db: Queryable) -> tuple[MadeSuggestions, dict[int, User]]:
            made = await account_suggestions.read(db, viewer_id)
            ids = [entry.user_id for entry in made.accounts]
            return made, await account_suggestions.suggestible(db, viewer_id, ids) if ids else {}

        made, users = await self._reads.read(viewer_id, read)
        if made.due:
            await self._actions.want(viewer_id)
        # A place in the stored list, in which those that are not shown any more keep theirs.
        shown = [entry for entry in made.accounts if entry.place > after and entry.user_id in users]
        page = shown[: query.limit]
        cursor = self._cursors.encode(_LISTING, page[-1].place) if len(shown) > query.limit else None
        items = [SuggestedUserResponse.of(users[entry.user_id], entry).to_bytes() for entry in page]
        return list_response(items, cursor, made_at=None if made.made_at is None else timestamp(made.made_at))

    async def dismiss(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /suggestions/users/{id}`."""
        await self._actions.dismiss(request.viewer.user_id, request.id())
        return empty_response()
