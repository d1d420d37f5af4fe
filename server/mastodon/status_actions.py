"""Like, save and mute statuses; repost them, which PicShare does not know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.actions import notification_preferences, photo_collections
from server.actions.catalog import Actions
from server.actions.reactions import LIKE_QUOTA
from server.edge.problem import ProblemError
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import StatusRef
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.status_routes import StatusReader

Act = Callable[[int, StatusRef], Awaitable[object]]


class StatusActionRoutes:
    """`/api/v1/statuses/{id}/<act>`."""

    def __init__(self, actions: Actions, reader: StatusReader) -> None:
        self._actions = actions
        self._reader = reader

    def routes(self) -> list[Route]:
        """Return the routes."""
        likes, saves, mutes = LIKE_QUOTA, photo_collections.QUOTA, notification_preferences.QUOTA
        return [
            self._act("favourite", self._like, "write:favourites", likes, stores=True),
            self._act("unfavourite", self._unlike, "write:favourites", likes),
            self._act("bookmark", self._save, "write:bookmarks", saves, stores=True),
            self._act("unbookmark", self._unsave, "write:bookmarks", saves),
            self._act("mute", self._mute, "write:mutes", mutes, stores=True),
            self._act("unmute", self._unmute, "write:mutes", mutes),
            self._act("reblog", _no_reposts, "write:statuses", "writes"),
            self._act("unreblog", _nothing, "write:statuses", "writes"),
            self._act("pin", _no_pins, "write:accounts", "writes"),
            self._act("unpin", _nothing, "write:accounts", "writes"),
        ]

    def _act(self, name: str, act: Act, scope: str, quota: str, *, stores: bool = False) -> Route:
        async def handler(request: MastodonRequest) -> web.Response:
            viewer_id, ref = request.viewer.user_id, request.status_ref()
            await act(viewer_id, ref)
            status = await self._reader.status(ref, viewer_id)
            return respond({**status, "muted": name == "mute"})

        return route("POST", f"/api/v1/statuses/{{id}}/{name}", handler, scope, quota=quota, stores=stores)

    async def _like(self, viewer_id: int, ref: StatusRef) -> object:
        return await (self._actions.comments if ref.is_comment else self._actions.reactions).like(viewer_id, ref.id)

    async def _unlike(self, viewer_id: int, ref: StatusRef) -> object:
        return await (self._actions.comments if ref.is_comment else self._actions.reactions).unlike(viewer_id, ref.id)

    async def _save(self, viewer_id: int, ref: StatusRef) -> object:
        if ref.is_comment:
            # Not for one that the viewer may not see, which is a 404.
            await self._reader.comment(ref.id, viewer_id)
            raise _refused("Comments cannot be saved. Save the photo.")
        return await self._actions.collections.save(viewer_id, ref.id)

    async def _unsave(self, viewer_id: int, ref: StatusRef) -> object:
        return None if ref.is_comment else await self._actions.collections.unsave(viewer_id, ref.id)

    async def _mute(self, viewer_id: int, ref: StatusRef) -> None:
        actions = self._actions.notification_preferences
        await (actions.mute_thread if ref.is_comment else actions.mute_photo)(viewer_id, ref.id)

    async def _unmute(self, viewer_id: int, ref: StatusRef) -> None:
        actions = self._actions.notification_preferences
        await (actions.unmute_thread if ref.is_comment else actions.unmute_photo)(viewer_id, ref.id)


async def _no_reposts(_viewer_id: int, _ref: StatusRef) -> None:
    raise _refused("PicShare has no reposts.")


async def _no_pins(_viewer_id: int, _ref: StatusRef) -> None:
    raise _refused("PicShare has no pinned photos.")


async def _nothing(_viewer_id: int, _ref: StatusRef) -> None:
    """Do nothing: what is undone was never done."""


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "invalid_input", detail)
