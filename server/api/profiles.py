"""Users: profile, search, and their photos."""

from __future__ import annotations

from aiohttp import web

from server.actions.presence import PresenceReader
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, json_response, list_response, redirect_response
from server.edge.endpoint import PREFIX, Auth, Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.photo_responses import PhotoResponse
from server.edge.requests import ListQuery, SearchQuery
from server.edge.responses import ListResponse, ProfileResponse, UserSummaryResponse
from storage.ids import encode
from storage.models import Photo
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.accounts import profiles, users
from storage.stores.photos import photo_lists


class ProfilesApi:
    """`/users`."""

    def __init__(self, reads: Reads, cursors: Cursors, serializer: PhotoSerializer, presence: PresenceReader) -> None:
        self._reads = reads
        self._cursors = cursors
        self._serializer = serializer
        self._presence = presence

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/users",
                handler=self.search,
                summary="Find users by the beginning of their username",
                tag="users",
                auth=Auth.OPTIONAL,
                query=SearchQuery,
                response=ListResponse[UserSummaryResponse],
            ),
            Endpoint(
                method="GET",
                path="/users/{id}",
                handler=self.profile,
                summary="Get a profile, by username or id",
                tag="users",
                auth=Auth.OPTIONAL,
                response=ProfileResponse,
                errors=(404,),
                by_name=True,
                redirect="The username has changed; the former one leads to the account for 30 days.",
            ),
            Endpoint(
                method="GET",
                path="/users/{id}/photos",
                handler=self.photos,
                summary="List a user's photos, newest first",
                tag="users",
                auth=Auth.OPTIONAL,
                query=ListQuery,
                response=ListResponse[PhotoResponse],
                errors=(404,),
                by_name=True,
                tagged=True,
            ),
        ]

    async def search(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users?query=`."""
        query = request.query(SearchQuery)
        listing, viewer_id = f"users:{query.query.lower()}", request.viewer_id
        after, limit = self._cursors.decode_text(listing, query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: users.search(db, query.query, viewer_id=viewer_id, after=after, limit=limit)
        )
        page = found[: query.limit]
        next_cursor = self._cursors.encode_text(listing, page[-1].username) if len(found) > query.limit else None
        return list_response([UserSummaryResponse.from_model(user).to_bytes() for user in page], next_cursor)

    async def profile(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{username or id}`; redirects from a former username."""
        viewer_id, name = request.viewer_id, request.name_or_id()
        user, relation, presence_visible = await self._reads.read(
            viewer_id, lambda db: profiles.find(db, name, viewer_id=viewer_id)
        )
        if name.lower() != user.username.lower() and name.upper() != encode(user.id):
            return redirect_response(f"{PREFIX}/users/{user.username}")
        presence = await self._presence.if_known(user.id) if presence_visible else None
        shown = None if viewer_id is None or viewer_id == user.id else relation
        return json_response(ProfileResponse.from_model(user, shown, presence).to_bytes())

    async def photos(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/{username or id}/photos`."""
        query, viewer_id, name = request.query(ListQuery), request.viewer_id, request.name_or_id()

        async def photos_of(db: Queryable) -> tuple[Pager, list[Photo]]:
            user = await users.find(db, name, viewer_id=viewer_id)
            pager = Pager(self._cursors, f"photos of {user.id}")
            before, limit = pager.before(query.cursor), query.limit + 1
            return pager, await photo_lists.by_author(db, user.id, viewer_id=viewer_id, before=before, limit=limit)

        pager, found = await self._reads.read(viewer_id, photos_of)
        page, next_cursor = pager.cut(found, query.limit, lambda photo: photo.id)
        return list_response(await self._serializer.serialize(page, viewer_id), next_cursor)
