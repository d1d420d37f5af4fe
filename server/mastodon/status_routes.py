"""Read statuses: one, its thread, the users that like it, and its history."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import Field

from server.edge.endpoint import Auth
from server.edge.requests import QueryModel
from server.mastodon.account_routes import Ids
from server.mastodon.accounts import Entity, account_of_summary
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import StatusRef
from server.mastodon.paging import ACCOUNTS, PageQuery, read_page
from server.mastodon.rendering import Renderer
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.threads import Threads
from storage.models import Comment, Photo, UserSummary
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.comments import comment_lists
from storage.stores.photos import likes, photo_lists, photos


class SeveralStatuses(QueryModel):
    """The statuses that are asked for at once; comments are none of them."""

    id: Ids = Field(default=[])


class StatusReader:
    """Reads photos and comments as statuses of a viewer; raises `NotFoundError` for what the viewer may not see."""

    def __init__(self, reads: Reads, renderer: Renderer) -> None:
        self._reads = reads
        self._renderer = renderer

    async def status(self, ref: StatusRef, viewer_id: int | None) -> Entity:
        """Return the entity of a status."""
        if ref.is_comment:
            comment, photo = await self.comment(ref.id, viewer_id)
            return (await self._renderer.comments([comment], {photo.id: photo}, viewer_id))[0]
        photo, liked = await self._reads.read(
            viewer_id, lambda db: photos.get_with_like(db, ref.id, viewer_id=viewer_id)
        )
        return await self._renderer.photo(photo, viewer_id, liked=liked)

    async def comment(self, comment_id: int, viewer_id: int | None) -> tuple[Comment, Photo]:
        """Return a comment and its photo."""

        async def read(db: Queryable) -> tuple[Comment, Photo]:
            comment = await comment_lists.one(db, comment_id, viewer_id=viewer_id)
            return comment, await photos.get(db, comment.photo_id, viewer_id=viewer_id)

        return await self._reads.read(viewer_id, read)

    async def keep_position(self, viewer_id: int) -> None:
        """Let the viewer's next reads see what was committed until now."""
        await self._reads.keep_position(viewer_id)

    async def text(self, ref: StatusRef, viewer_id: int) -> str:
        """Return the text of a status as its author has written it."""
        if ref.is_comment:
            return (await self.comment(ref.id, viewer_id))[0].text
        photo = await self._reads.read(viewer_id, lambda db: photos.get(db, ref.id, viewer_id=viewer_id))
        return photo.caption


class StatusRoutes:
    """`/api/v1/statuses`, without changes."""

    def __init__(self, reads: Reads, renderer: Renderer, reader: StatusReader) -> None:
        self._reads = reads
        self._renderer = renderer
        self._reader = reader
        self._threads = Threads(reads, renderer)

    def routes(self) -> list[Route]:
        """Return the routes."""
        one, scope = "/api/v1/statuses/{id}", "read:statuses"
        return [
            route("GET", "/api/v1/statuses", self.several, scope, auth=Auth.OPTIONAL),
            route("GET", one, self.status, scope, auth=Auth.OPTIONAL),
            route("GET", f"{one}/context", self.context, scope, auth=Auth.OPTIONAL),
            route("GET", f"{one}/favourited_by", self.favourited_by, scope, auth=Auth.OPTIONAL),
            route("GET", f"{one}/reblogged_by", self.reblogged_by, scope, auth=Auth.OPTIONAL),
            route("GET", f"{one}/history", self.history, scope, auth=Auth.OPTIONAL),
            route("GET", f"{one}/source", self.source, scope),
            route("GET", f"{one}/card", self.card, scope, auth=Auth.OPTIONAL),
        ]

    async def several(self, request: MastodonRequest) -> web.Response:
        """Return several photos; those that the viewer may not see are left out."""
        wanted, viewer_id = request.query(SeveralStatuses).id, request.viewer_id
        found = await self._reads.read(viewer_id, lambda db: photo_lists.by_ids(db, wanted, viewer_id=viewer_id))
        shown = [found[photo_id] for photo_id in wanted if photo_id in found]
        return respond(await self._renderer.photos(shown, viewer_id))

    async def status(self, request: MastodonRequest) -> web.Response:
        """Return a status."""
        return respond(await self._reader.status(request.status_ref(), request.viewer_id))

    async def context(self, request: MastodonRequest) -> web.Response:
        """Return what is above a status, and what is below it."""
        ancestors, descendants = await self._threads.around(request.status_ref(), request.viewer_id)
        return respond({"ancestors": ancestors, "descendants": descendants})

    async def favourited_by(self, request: MastodonRequest) -> web.Response:
        """Return the users that like a photo; of a comment, none."""
        ref, viewer_id = request.status_ref(), request.viewer_id
        if ref.is_comment:
            await self._reader.comment(ref.id, viewer_id)
            return respond([])

        async def read(before: int | None, limit: int) -> Sequence[tuple[int, UserSummary]]:
            async def likers(db: Queryable) -> Sequence[tuple[int, UserSummary]]:
                # Raises a 404 where the viewer may not see the photo; the list itself does not check that.
                await photos.get(db, ref.id, viewer_id=viewer_id)
                return await likes.page(db, ref.id, before=before, limit=limit, viewer_id=viewer_id)

            return await self._reads.read(viewer_id, likers)

        page = await read_page(request.query(PageQuery), read, lambda like: like[0], most=ACCOUNTS)
        found = await self._renderer.accounts([user.id for _, user in page.items], viewer_id)
        entities = [found.get(user.id) or account_of_summary(user, self._renderer.links) for _, user in page.items]
        return request.page_response(entities, page, self._renderer.links.base)

    async def reblogged_by(self, request: MastodonRequest) -> web.Response:
        """Return no users: there are no reposts."""
        await self._reader.status(request.status_ref(), request.viewer_id)
        return respond([])

    async def history(self, request: MastodonRequest) -> web.Response:
        """Return the present version alone: PicShare keeps no earlier ones."""
        status = await self._reader.status(request.status_ref(), request.viewer_id)
        names = ("content", "spoiler_text", "sensitive", "account", "media_attachments", "emojis")
        version = {name: status[name] for name in names}
        return respond([{**version, "created_at": status["edited_at"] or status["created_at"], "poll": None}])

    async def source(self, request: MastodonRequest) -> web.Response:
        """Return the text of one of the viewer's own statuses, to edit it."""
        text = await self._reader.text(request.status_ref(), request.viewer.user_id)
        return respond({"id": request.http.match_info["id"], "text": text, "spoiler_text": ""})

    async def card(self, request: MastodonRequest) -> web.Response:
        """Return no preview of a link."""
        await self._reader.status(request.status_ref(), request.viewer_id)
        return respond({})
