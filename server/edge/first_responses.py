"""Responses of the API in the page itself: what its script would request first, one round trip earlier.

They are for browsers that are signed in, by the cookie of their session. Each is made by the handler of its endpoint,
so it is authenticated, charged and written as the response to a request is.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
import structlog
from aiohttp import web
from yarl import URL

from server.edge.api_request import VIEWER, ApiRequest
from server.edge.authentication import ACCESS_COOKIE
from server.edge.endpoint import PREFIX, Endpoint
from server.edge.guard import Guard
from server.edge.middleware import Handler, opens_page
from server.edge.problems import problem_of

log = structlog.get_logger(__name__)

_ME, _FEED, _PHOTO = "/users/me", "/feed", "/photos/{id}"
_USER, _USER_PHOTOS, _USER_COLLECTIONS = "/users/{id}", "/users/{id}/photos", "/users/{id}/collections"
_ENDPOINTS = (_ME, _FEED, _PHOTO, _USER, _USER_PHOTOS, _USER_COLLECTIONS)
# As static/js/feed/feed.js, static/js/profile/profile.js and static/js/profile/collection_cells.js ask for them.
_FEED_PAGE, _PROFILE_PHOTOS, _PROFILE_COLLECTIONS = 10, 30, 12
# A page that would wait for longer comes without them, and its script shows that it is loading.
_WITHIN = 0.5  # seconds
_MAX_PADDING = 64  # bytes


class PageRequest(ApiRequest):
    """The request of a page, as an endpoint sees it that is called for what the page shows."""

    __slots__ = ()

    def name_or_id(self) -> str:
        """Return the username in the path of the page."""
        return self.http.match_info["username"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstResponse:
    """The JSON body of a response, with the path and query by which the script asks for it.

    `expires_at` is when the token ends by which it was permitted.
    """

    path: str
    query: Mapping[str, int]
    body: bytes
    expires_at: int

    @property
    def value(self) -> Any:
        """Return the parsed body."""
        return orjson.loads(self.body)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageState:
    """What a page begins with: the account of the user, and what the page shows first."""

    account: FirstResponse
    others: Sequence[FirstResponse]

    def element(self) -> bytes:
        """Return the element that the script reads (static/js/service/first_responses.js)."""
        responses = [[one.path, dict(one.query), orjson.Fragment(one.body)] for one in (self.account, *self.others)]
        # What other users have written is compressed together with the own data: without the padding, the length would
        # say how much they have in common.
        padding = secrets.token_hex(secrets.randbelow(_MAX_PADDING))
        expires_in = max(0, int(self.account.expires_at - time.time()))
        state = orjson.dumps({"expires_in": expires_in, "responses": responses, "padding": padding})
        # No text in it ends the element.
        text = state.replace(b"<", b"\\u003c")
        return b'<script type="application/json" id="first-responses">' + text + b"</script>"

    def value_of(self, path: re.Pattern[str]) -> Any:
        """Return the parsed body of the response with a path, None if there is none."""
        return next((one.value for one in self.others if path.fullmatch(one.path)), None)


class FirstResponses:
    """Calls the endpoints whose responses a page shows first; `guard` is that of the API."""

    def __init__(self, table: Iterable[Endpoint], guard: Guard) -> None:
        own = guard.for_requests(PageRequest)
        self._handlers: dict[str, Handler] = {
            endpoint.path: own.bind(endpoint)
            for endpoint in table
            if endpoint.method == "GET" and endpoint.path in _ENDPOINTS
        }
        self._tasks: set[asyncio.Task[list[FirstResponse]]] = set()

    async def of(self, request: web.Request) -> PageState | None:
        """Return the state of a page; None for visitors, and for users whose token has to be renewed first."""
        if ACCESS_COOKIE not in request.cookies or not opens_page(request):
            return None
        account, others = await self._in_time(self._get(request, _ME, _ME), self._of_page(request))
        return PageState(account=account[0], others=others) if account else None

    async def _in_time(self, *asked: Coroutine[Any, Any, list[FirstResponse]]) -> list[list[FirstResponse]]:
        tasks = [asyncio.create_task(one) for one in asked]
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await asyncio.wait(tasks, timeout=_WITHIN)
        return [task.result() if task.done() else [] for task in tasks]

    async def _of_page(self, request: web.Request) -> list[FirstResponse]:
        resource = request.match_info.route.resource
        page = None if resource is None else resource.canonical
        if page == "/":
            return await self._get(request, _FEED, _FEED, limit=_FEED_PAGE)
        if page == "/p/{id}":
            return await self._get(request, _PHOTO, f"/photos/{quote(request.match_info['id'], safe='')}")
        if page == "/u/{username}":
            return await self._profile(request, request.match_info["username"])
        return []

    async def _profile(self, request: web.Request, username: str) -> list[FirstResponse]:
        found = await self._get(request, _USER, f"/users/{quote(username, safe='')}")
        if not found:
            return []
        path = f"/users/{found[0].value['id']}"
        lists = await asyncio.gather(
            self._get(request, _USER_PHOTOS, f"{path}/photos", limit=_PROFILE_PHOTOS),
            self._get(request, _USER_COLLECTIONS, f"{path}/collections", limit=_PROFILE_COLLECTIONS),
        )
        return [*found, *(response for responses in lists for response in responses)]

    async def _get(self, request: web.Request, endpoint: str, path: str, **query: int) -> list[FirstResponse]:
        """Return the response of an endpoint; none after an error, which the script meets again and shows."""
        inner = request.clone(rel_url=URL.build(path=PREFIX + path, query=query, encoded=not query))
        try:
            response = await self._handlers[endpoint](inner)
        except Exception as error:
            # An error of the API is for the script, which asks again and shows it.
            if problem_of(error) is None:
                log.exception("first_response_failed")
            return []
        if response.status != 200 or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
            return []
        return [FirstResponse(path=path, query=query, body=response.body, expires_at=inner[VIEWER].expires_at)]
