"""From the route table to aiohttp: errors for apps, paths with a slash at their end, and paths of two interfaces.

PicShare's own interface has a few paths of this one. They are decided by the credential: a request with the token of an
app that registered itself for this interface gets the route of this one, any other request PicShare's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web
from aiohttp.web_urldispatcher import DynamicResource, Resource

from server.api.oauth import AUTHORIZE
from server.edge.endpoint import PREFIX, Endpoint
from server.edge.middleware import RENDERER, Handler
from server.edge.problem import ProblemError
from server.mastodon.endpoint import Route
from server.mastodon.request import respond

IsForApps = Callable[[web.Request], Awaitable[bool]]
"""Return whether a request has the token of an app that registered itself for this interface."""

# Apps know these statuses; PicShare says a conflict with another one.
_STATUSES = {409: 422}


class AppResource(DynamicResource):
    """A path that another interface has as well, as its path `indexed`: for apps it is that of this one."""

    def __init__(self, path: str, indexed: str, is_for_apps: IsForApps) -> None:
        super().__init__(path)
        self._indexed = indexed
        self._is_for_apps = is_for_apps

    @property
    def canonical(self) -> str:
        """Return the path of the other interface: the router looks there before it looks for the other resource."""
        return self._indexed

    def raw_match(self, path: str) -> bool:
        """Return False: no route is added to this resource for its path alone."""
        del path
        return False

    async def resolve(self, request: web.Request) -> Any:
        """Return the route of a request, or none if it is not that of an app."""
        if self._match(request.rel_url.path_safe) is None or not await self._is_for_apps(request):
            return None, set()
        return await super().resolve(request)


def render(problem: ProblemError) -> web.Response:
    """Return the response for a problem, as apps understand it."""
    response = respond({"error": problem.detail}, status=_STATUSES.get(problem.status, problem.status))
    response.headers.update(problem.headers)
    return response


def shared(routes: Iterable[Route], own: Iterable[Endpoint]) -> list[tuple[Route, str]]:
    """Return the routes whose paths PicShare's own interface has, too, each with the path that it has there."""
    taken = defaultdict[tuple[str, int], list[str]](list)
    for endpoint in own:
        path = PREFIX + endpoint.path
        taken[endpoint.method, path.count("/")].append(path)
    return [
        (each, path)
        for each in routes
        for path in taken.get((each.method, each.path.count("/")), ())
        if covers(each.path, path)
    ]


def covers(path: str, other: str) -> bool:
    """Return whether every request to the path `other` fits `path`, too."""
    parts, others = path.split("/"), other.split("/")
    return len(parts) == len(others) and all(
        part == another or part.startswith("{") for part, another in zip(parts, others, strict=True)
    )


def add_shared(
    app: web.Application,
    routes: Iterable[tuple[Route, str]],
    bind: Callable[[Endpoint], Handler],
    is_for_apps: IsForApps,
) -> None:
    """Add the routes that both interfaces have; to be called before those of PicShare's own are added."""
    for each, path in routes:
        resource = AppResource(each.path, path, is_for_apps)
        app.router.register_resource(resource)
        _add(resource, each, bind)


def add_others(app: web.Application, routes: Iterable[Route], bind: Callable[[Endpoint], Handler]) -> None:
    """Add all routes, for the requests that fit no route of PicShare's own; each also with a slash at its end."""
    for each in routes:
        _add(app.router.add_resource(each.path), each, bind)
        _add(app.router.add_resource(each.path + "/"), each, bind)
    app.router.add_get(AUTHORIZE + "/", _without_slash)


async def _without_slash(request: web.Request) -> web.Response:
    # Before the page loads: its own paths have no slash at their end.
    return web.Response(status=308, headers={"Location": f"{AUTHORIZE}?{request.rel_url.raw_query_string}"})


def _add(resource: Resource, each: Route, bind: Callable[[Endpoint], Handler]) -> None:
    handler = _rendered(bind(each))
    for method in ("GET", "HEAD") if each.method == "GET" else (each.method,):
        resource.add_route(method, handler)


def _rendered(handler: Handler) -> Handler:
    async def with_errors(http: web.Request) -> web.StreamResponse:
        http[RENDERER] = render
        return await handler(http)

    return with_errors
