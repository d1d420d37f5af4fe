"""`/api/v1/notifications`: list, dismiss and count notifications."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from server.actions.notifications import MARK_QUOTA, NotificationActions
from server.mastodon.endpoint import Route, route
from server.mastodon.notifications import NotificationReader, kinds_of
from server.mastodon.paging import ACCOUNTS, PageQuery, read_page
from server.mastodon.request import MastodonRequest, respond
from server.mastodon.texts import Links
from storage.errors import NotFoundError
from storage.notifications import Notification, NotificationMark
from storage.stores.notifications.notification_marks import Selection
from workers.web_push.app_messages import KINDS

_BASE = "/api/v1/notifications"


def _names(value: Any) -> Any:
    return value if isinstance(value, list) or value is None else [value]


Names = Annotated[list[Annotated[str, Field(max_length=40)]], BeforeValidator(_names), Field(max_length=40)]


class NotificationsQuery(PageQuery):
    """A page of notifications of `types`, without those of `exclude_types`."""

    types: Names | None = None
    exclude_types: Names = Field(default=[])
    limit: int = 40


class NotificationRoutes:
    """The viewer's notifications."""

    def __init__(self, reader: NotificationReader, actions: NotificationActions, links: Links) -> None:
        self._reader = reader
        self._actions = actions
        self._links = links

    def routes(self) -> list[Route]:
        """Return the routes; fixed paths come first."""
        scope, change = "read:notifications", "write:notifications"
        return [
            route("GET", _BASE, self.list_, scope),
            route("GET", f"{_BASE}/unread_count", self.unread, scope),
            route("GET", f"{_BASE}/policy", self.policy, scope),
            route("GET", "/api/v2/notifications/policy", self.policy, scope),
            route("GET", f"{_BASE}/requests", _none, scope),
            route("POST", f"{_BASE}/clear", self.clear, change, quota=MARK_QUOTA),
            route("GET", f"{_BASE}/{{id}}", self.get, scope),
            route("POST", f"{_BASE}/{{id}}/dismiss", self.dismiss, change, quota=MARK_QUOTA),
        ]

    async def list_(self, request: MastodonRequest) -> web.Response:
        """Return notifications, the newest first."""
        query, viewer_id = request.query(NotificationsQuery), request.viewer.user_id
        kinds = kinds_of(query.types, query.exclude_types)

        async def read(before: int | None, limit: int) -> list[Notification]:
            return await self._reader.entries(viewer_id, kinds, before=before, limit=limit)

        page = await read_page(query, read, lambda entry: entry.position, most=ACCOUNTS)
        return request.page_response(await self._reader.render(page.items, viewer_id), page, self._links.base)

    async def get(self, request: MastodonRequest) -> web.Response:
        """Return one notification."""
        viewer_id = request.viewer.user_id
        found = await self._reader.render([await self._reader.at(viewer_id, request.id())], viewer_id)
        if not found:
            raise NotFoundError("notification")
        return respond(found[0])

    async def unread(self, request: MastodonRequest) -> web.Response:
        """Return how many notifications are unread."""
        counters = await self._actions.counters(request.viewer.user_id)
        return respond({"count": sum(unread for kind, (_, unread) in counters.kinds.items() if kind in KINDS)})

    async def clear(self, request: MastodonRequest) -> web.Response:
        """Delete all notifications of the kinds that this interface shows."""
        viewer_id = request.viewer.user_id
        newest = await self._reader.entries(viewer_id, KINDS.keys(), before=None, limit=1)
        if newest:
            # Not those that arrive in between.
            shown = Selection(up_to=newest[0].position, kinds=frozenset(KINDS))
            await self._actions.mark(viewer_id, NotificationMark.READ, shown)
            await self._actions.delete_read(viewer_id, shown)
        return respond({})

    async def dismiss(self, request: MastodonRequest) -> web.Response:
        """Delete one notification."""
        viewer_id = request.viewer.user_id
        entry = await self._reader.at(viewer_id, request.id())
        await self._actions.delete(viewer_id, entry.id)
        return respond({})

    async def policy(self, request: MastodonRequest) -> web.Response:
        """Return that nothing is filtered."""
        version2 = request.http.path.startswith("/api/v2")
        names = ("not_following", "not_followers", "new_accounts", "private_mentions")
        chosen: dict[str, Any] = (
            {f"for_{name}": "accept" for name in (*names, "limited_accounts")}
            if version2
            else {f"filter_{name}": False for name in names}
        )
        return respond({**chosen, "summary": {"pending_requests_count": 0, "pending_notifications_count": 0}})


async def _none(_request: MastodonRequest) -> web.Response:
    return respond([])
