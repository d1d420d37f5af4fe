"""The inbox: what others did, what of it is new, and marking it seen and read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.cursors import Cursors
from server.edge.endpoint import Endpoint
from server.edge.paging import Pager
from server.edge.requests import ListQuery, NotificationSelection
from server.edge.responses import (
    NotificationCountersResponse,
    NotificationResponse,
    StreamListResponse,
    stream_position,
)
from storage.feeds.notification_log import NotificationLog
from storage.postgres.database import Database, Transaction
from storage.render.notification import notification_json
from storage.stores import notifications

Mark = Callable[[Transaction, int, list[int] | None], Awaitable[int]]


class NotificationsApi:
    """`/notifications`."""

    def __init__(self, db: Database, log: NotificationLog, cursors: Cursors) -> None:
        self._db = db
        self._log = log
        self._cursors = cursors

    def endpoints(self) -> list[Endpoint]:
        """Return the table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/notifications",
                handler=self.inbox,
                summary="One's inbox, what happened last first",
                tag="notifications",
                query=ListQuery,
                response=StreamListResponse[NotificationResponse],
            ),
            Endpoint(
                method="GET",
                path="/notifications/counters",
                handler=self.counters,
                summary="How many notifications are new",
                tag="notifications",
                response=NotificationCountersResponse,
            ),
            self._marking("seen", notifications.mark_seen, "Note that notifications were on the screen"),
            self._marking("read", notifications.mark_read, "Note that notifications were opened"),
        ]

    def _marking(self, what: str, mark: Mark, summary: str) -> Endpoint:
        async def handler(request: ApiRequest) -> web.Response:
            form = await request.body(NotificationSelection)
            async with self._db.transaction() as tx:
                await mark(tx, request.viewer.user_id, form.ids)
            return empty_response()

        return Endpoint(
            method="POST",
            path=f"/notifications/{what}",
            handler=handler,
            summary=summary,
            tag="notifications",
            quota="writes",
            body=NotificationSelection,
            status=204,
        )

    async def inbox(self, request: ApiRequest) -> web.Response:
        """Answer `GET /notifications`."""
        user_id, query = request.viewer.user_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"notifications of {user_id}")
        # Before the list is read: what is announced meanwhile may come twice, but is not missed.
        position = await self._log.position(user_id) if query.cursor is None else None
        found = await notifications.inbox(self._db, user_id, before=pager.before(query.cursor), limit=query.limit + 1)
        page, more = pager.cut(found, query.limit, lambda entry: entry.position)
        return list_response([notification_json(entry) for entry in page], more, stream=stream_position(position))

    async def counters(self, request: ApiRequest) -> web.Response:
        """Answer `GET /notifications/counters`."""
        found = await notifications.counters(self._db, request.viewer.user_id)
        return json_response(NotificationCountersResponse(unseen=found.unseen, unread=found.unread).to_bytes())
