"""One entry of this interface's route table, as `server.edge.endpoint` has for PicShare's own, with a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from server.edge.api_request import ApiRequest
from server.edge.endpoint import Auth, Endpoint
from server.mastodon.request import MastodonRequest

Handler = Callable[[MastodonRequest], Awaitable[web.StreamResponse]]

TAG = "mastodon"


@dataclass(frozen=True, kw_only=True)
class Route(Endpoint):
    """An operation; its `path` begins with `/api`, and `scope` is what an app needs for it ("" for nothing)."""

    scope: str = ""


def route(method: str, path: str, handler: Handler, scope: str = "", **options: Any) -> Route:
    """Return an operation; with a `scope` it needs a user, unless `auth` says otherwise."""
    options.setdefault("auth", Auth.REQUIRED if scope else Auth.OPTIONAL)

    async def adapted(request: ApiRequest) -> web.StreamResponse:
        # The guard of this interface makes requests of its own type (`server.mastodon.routing`).
        return await handler(cast("MastodonRequest", request))

    return Route(method=method, path=path, handler=adapted, summary="", tag=TAG, scope=scope, **options)
