"""The database round trips of each use case, from its HTTP request to its response and the wake-up of the workers.

The API runs in this process with one connection to the database, so the statements of a use case do not depend on
timing. Every statement is a round trip; BEGIN, COMMIT and NOTIFY are statements too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from storage import ids
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.redis.client import Redis
from tests.support.api import Api, running_api, services_of
from tests.support.api_user import PASSWORD, ApiUser, Response
from tests.support.pictures import photograph
from tests.support.statements import StatementLog
from workers.broker.routing import queues_of
from workers.jobs.inbox.inbox import Inbox

RoundTrips = dict[str, list[str]]  # name of a use case → its statements, in order


class UseCases:
    """A client of the API that does each use case once and returns the statements that it caused."""

    def __init__(self, api: Api, log: StatementLog) -> None:
        self._api = api
        self._log = log
        self._counted: RoundTrips = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, redis: Redis, folder: Path) -> AsyncIterator[UseCases]:
        """Serve the API on these engines, with its blobs in `folder`, until the end of the block."""
        database = await Database.connect(dsn, routes=queues_of, min_size=1, max_size=2)
        services = services_of(database, redis, folder)
        try:
            async with running_api(services) as api:
                log = await StatementLog.open(database, connections=2)
                use_cases = cls(api, log)
                # The driver prepares a statement and looks up its types when it first sees it.
                await use_cases.count()
                yield use_cases
        finally:
            services.passwords.close()
            await database.close()

    async def count(self) -> RoundTrips:
        """Return the statements of each use case, done by two new users; the same number each time."""
        self._counted = {}
        ann = await self._api.user()
        await self._log.take_notified()
        ben = await self._api.user()
        await self._log.take_notified()
        await self._sessions()
        photo = await self._photos(ann, ben)
        await self._reactions(ben, photo)
        await self._relations(ann, ben)
        await self._inbox(ann, ben, photo)
        await self._trip("delete a photo", ann.call("DELETE", f"/photos/{photo['id']}"), 204)
        return self._counted

    async def _sessions(self) -> None:
        cat = await self._api.user()
        self._counted["sign up"] = await self._log.take_notified()
        credentials = {"username": cat.name, "password": PASSWORD}
        tokens = await self._trip("sign in", cat.call("POST", "/tokens", json=credentials), 201)
        refresh = {"refresh_token": tokens["refresh_token"]}
        await self._trip("refresh a session", cat.call("POST", "/tokens/refresh", json=refresh), 201)

    async def _photos(self, ann: ApiUser, ben: ApiUser) -> dict[str, Any]:
        keyed = ann.try_upload(photograph(), key="key")
        other = await self._trip("upload a photo with an idempotency key", keyed, 201)
        photo: dict[str, Any] = await self._trip("upload a photo", ann.try_upload(photograph()), 201)
        await self._api.finish(photo)
        # For some seconds after an edit, feeds read the photo from the database. So it is not the photo in the feed.
        edit = ann.call("PATCH", f"/photos/{other['id']}", json={"caption": "Up", "tags": ["space"]})
        await self._trip("edit a photo's caption and tags", edit, 200)
        path = f"/photos/{photo['id']}"
        # First while Redis has neither the photo's counters nor the viewer's likes.
        await self._trip("read a photo for the first time", ben.call("GET", path), 200)
        await self._trip("read a photo", ben.call("GET", path), 200)
        return photo

    async def _reactions(self, ben: ApiUser, photo: dict[str, Any]) -> None:
        path = f"/photos/{photo['id']}"
        await self._trip("like", ben.call("PUT", f"{path}/like"), 200)
        await self._trip("unlike", ben.call("DELETE", f"{path}/like"), 200)
        comment = await self._trip("comment", ben.call("POST", f"{path}/comments", json={"text": "Up!"}), 201)
        reply = {"text": "Up!", "reply_to": comment["id"]}
        await self._trip("reply to a comment", ben.call("POST", f"{path}/comments", json=reply), 201)
        await self._trip("like a comment", ben.call("PUT", f"/comments/{comment['id']}/like"), 200)
        edit = {"text": f"Up, @{ben.name}!"}
        await self._trip("mention a user in an edit", ben.call("PATCH", f"/comments/{comment['id']}", json=edit), 200)
        await self._trip("read comments", ben.call("GET", f"{path}/comments"), 200)
        await self._trip("delete a comment with a reply", ben.call("DELETE", f"/comments/{comment['id']}"), 204)

    async def _relations(self, ann: ApiUser, ben: ApiUser) -> None:
        path = f"/users/{ann.id}"
        await self._trip("follow", ben.call("PUT", f"{path}/follow"), 204)
        await self._trip("read the home feed for the first time", ben.call("GET", "/feed"), 200)
        await self._trip("read the home feed", ben.call("GET", "/feed"), 200)
        highlights = ben.call("GET", "/feed?order=highlights")
        await self._trip("read highlights of the home feed for the first time", highlights, 200)
        again = ben.call("GET", "/feed?order=highlights")
        await self._trip("read highlights of the home feed", again, 200)
        await self._trip("read a profile", ben.call("GET", path), 200)
        await self._trip("unfollow", ben.call("DELETE", f"{path}/follow"), 204)
        await ben.follow(ann)
        await self._log.take_notified()
        await self._trip("block a follower", ann.call("PUT", f"/users/{ben.id}/block"), 204)
        await self._trip("unblock", ann.call("DELETE", f"/users/{ben.id}/block"), 204)

    async def _inbox(self, ann: ApiUser, ben: ApiUser, photo: dict[str, Any]) -> None:
        photo_id = ids.decode(photo["id"])
        stores = self._api.services.stores
        await Inbox(stores.db, stores.notification_log).record(
            Activity(
                recipient_id=ids.decode(ann.id),
                kind=NotificationKind.LIKE,
                actor_id=ids.decode(ben.id),
                photo_id=photo_id,
                source_id=photo_id,
            )
        )
        await self._trip("read notifications", ann.call("GET", "/notifications"), 200)
        await self._trip("mark notifications", ann.call("POST", "/notifications/read", json={}), 204)

    async def _trip(self, name: str, request: Awaitable[Response], status: int) -> Any:
        """Send a request, record its statements under a name, and return the JSON of its response."""
        await self._log.take_notified()
        content = (await request).expect(status)
        self._counted[name] = await self._log.take_notified()
        return content
