"""Routes of the GraphQL interface. Its handlers are loaded when the first request needs them.

The library and the schema take half a second and 30 MB, which a process without requests for GraphQL saves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from server.edge.api_request import ApiRequest
from server.edge.endpoint import Auth, Endpoint

PATH = "/graphql"
SCHEMA_PATH = f"{PATH}/schema.graphql"
TAG = "GraphQL"

Handler = Callable[[ApiRequest], Awaitable[web.StreamResponse]]


class Handlers(Protocol):
    """Handlers of the interface."""

    async def post(self, request: ApiRequest) -> web.StreamResponse:
        """Execute an operation."""
        ...

    async def get(self, request: ApiRequest) -> web.StreamResponse:
        """Execute a query whose document is persisted."""
        ...

    async def sdl(self, request: ApiRequest) -> web.StreamResponse:
        """Return the schema."""
        ...


class GraphqlRoutes:
    """The endpoints of the interface, whose paths begin at the root; `load` makes the handlers, in a thread."""

    def __init__(self, load: Callable[[], Handlers]) -> None:
        self._load = load
        self._loading: asyncio.Task[Handlers] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints.

        The handlers of operations charge the rate limit, because the cost of an operation is not known before. What a
        mutation requires is checked for each of its fields.
        """
        operations = {
            "POST": (self._post, "Execute a GraphQL operation"),
            "GET": (self._get, "Execute a GraphQL query whose document is persisted"),
        }
        return [
            *(
                Endpoint(
                    method=method,
                    path=PATH,
                    handler=handler,
                    summary=summary,
                    tag=TAG,
                    auth=Auth.OPTIONAL,
                    guarded=False,
                    safe=True,
                    while_suspended=True,
                )
                for method, (handler, summary) in operations.items()
            ),
            Endpoint(
                method="GET",
                path=SCHEMA_PATH,
                handler=self._sdl,
                summary="Read the GraphQL schema",
                tag=TAG,
                auth=Auth.NONE,
                guarded=False,
            ),
        ]

    async def _post(self, request: ApiRequest) -> web.StreamResponse:
        return await (await self._handlers()).post(request)

    async def _get(self, request: ApiRequest) -> web.StreamResponse:
        return await (await self._handlers()).get(request)

    async def _sdl(self, request: ApiRequest) -> web.StreamResponse:
        return await (await self._handlers()).sdl(request)

    async def _handlers(self) -> Handlers:
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        # The first request may be cancelled, but others wait for the same handlers.
        return await asyncio.shield(self._loading)
