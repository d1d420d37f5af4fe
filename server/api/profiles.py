"""Other people: profile, search, and their photos."""

from __future__ import annotations

from aiohttp import web

from server.actions.presence import PresenceView
from server.api.photo_serializer import PhotoSerializer
from server.edge.api_request import ApiRequest, json_answer, list_answer
from server.edge.cursors import Cursors
from server.edge.endpoint import Access, Endpoint
from server.edge.paging import Pager
from server.edge.requests import ListQuery, SearchQuery
from server.edge.responses import ListOf, Person, Photo, Profile
from storage.errors import NotFoundError
from storage.models import User
from storage.postgres.database import Database
from storage.stores import photos, relations, users


class ProfilesApi:
    """`/users`."""

    def __init__(self, db: Database, cursors: Cursors, view: PhotoSerializer, presence: PresenceView) -> None:
        self._db = db
        self._cursors = cursors
        self._view = view
        self._presence = presence

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/users",
                handler=self.search,
                summary="Find people by the beginning of their username",
                tag="people",
                access=Access.VISITORS,
                query=SearchQuery,
                answer=ListOf[Person],
            ),
            Endpoint(
                method="GET",
                path="/users/{id}",
                handler=self.profile,
                summary="A profile, by username or id",
                tag="people",
                access=Access.VISITORS,
                answer=Profile,
                problems=(404,),
            ),
            Endpoint(
                method="GET",
                path="/users/{id}/photos",
                handler=self.photos,
                summary="A person's photos, newest first",
                tag="people",
                access=Access.VISITORS,
                query=ListQuery,
                answer=ListOf[Photo],
                problems=(404,),
            ),
        ]

    async def search(self, call: ApiRequest) -> web.Response:
        """Answer `GET /users?query=`."""
        query = call.query(SearchQuery)
        listing = f"users:{query.query.lower()}"
        found = await users.search(
            self._db,
            query.query,
            viewer_id=call.viewer_id,
            after=self._cursors.decode_text(listing, query.cursor),
            limit=query.limit + 1,
        )
        page = found[: query.limit]
        more = self._cursors.encode_text(listing, page[-1].username) if len(found) > query.limit else None
        return list_answer([Person.of(user).to_bytes() for user in page], more)

    async def profile(self, call: ApiRequest) -> web.Response:
        """Answer `GET /users/{username or id}`."""
        user = await self._find(call)
        relation = None
        if call.viewer_id is not None and call.viewer_id != user.id:
            relation = await relations.relation(self._db, call.viewer_id, user.id)
        presence = None
        if call.viewer_id is not None:
            presence = await self._presence.of(user.id, viewer_id=call.viewer_id)
        return json_answer(Profile.shaped(user, relation, presence).to_bytes())

    async def photos(self, call: ApiRequest) -> web.Response:
        """Answer `GET /users/{username or id}/photos`."""
        query = call.query(ListQuery)
        user = await self._find(call)
        pager = Pager(self._cursors, f"photos of {user.id}")
        found = await photos.by_author(
            self._db,
            user.id,
            viewer_id=call.viewer_id,
            before=pager.before(query.cursor),
            limit=query.limit + 1,
        )
        page, more = pager.cut(found, query.limit, lambda photo: photo.id)
        return list_answer(await self._view.render(page, call.viewer_id), more)

    async def _find(self, call: ApiRequest) -> User:
        name = call.request.match_info["id"]
        if name == "me":
            return await users.get(self._db, call.viewer.user_id)
        if not name.isprintable():
            raise NotFoundError("user")
        return await users.find(self._db, name, viewer_id=call.viewer_id)
