"""From the route table to aiohttp: errors in the form of this interface, paths with a slash at their end, and a few
paths that PicShare's own interface has, too.

Those are decided by the credential: a request with the token of an app that registered itself for this interface gets
the route of this one, any other request PicShare's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from aiohttp import web
from aiohttp.web_urldispatcher import DynamicResource

from server.edge.endpoint import PREFIX, Endpoint
from server.edge.middleware import RENDERER, Handler
from server.edge.problem import ProblemError
from server.mastodon.endpoint import Route
from server.mastodon.request import respond

IsForApps = Callable[[web.Request], bool]
"""Return whether a request has the token of an app that registered itself for this interface."""

_PARAMETER = re.compile(r"\{[^}]*\}")
# Apps know these statuses; what PicShare says with others is one of them here.
_STATUSES = {409: 422, 400: 400}


class AppResource(DynamicResource):
    """A path that another interface has as well: it is only there for apps."""

    def __init__(self, path: str, is_for_apps: IsForApps) -> None:
        super().__init__(path)
        self._is_for_apps = is_for_apps

    async def resolve(self, request: web.Request) -> Any:
        """Return the route of a request, or none if it is not that of an app."""
        if not self._is_for_apps(request):
            return None, set()
        return await super().resolve(request)


def render(problem: ProblemError) -> web.Response:
    """Return the response for a problem, as apps understand it."""
    response = respond({"error": problem.detail}, status=_STATUSES.get(problem.status, problem.status))
    response.headers.update(problem.headers)
    return response


def rendered(handler: Handler) -> Handler:
    """Return a handler whose errors are rendered for apps."""

    async def with_errors(http: web.Request) -> web.StreamResponse:
        http[RENDERER] = render
        return await handler(http)

    return with_errors


def shared(routes: Iterable[Route], own: Iterable[Endpoint]) -> set[tuple[str, str]]:
    """Return method and path of the routes that PicShare's own interface has, too, whatever its parameters' names."""
    taken = {(endpoint.method, _shape(PREFIX + endpoint.path)) for endpoint in own}
    return {(each.method, each.path) for each in routes if (each.method, _shape(each.path)) in taken}


def add_shared(
    app: web.Application,
    routes: Iterable[Route],
    paths: Collection[tuple[str, str]],
    bind: Callable[[Endpoint], Handler],
    is_for_apps: IsForApps,
) -> None:
    """Add the routes that both interfaces have; to be called before those of PicShare's own are added."""
    for each in routes:
        if (each.method, each.path) in paths:
            resource = AppResource(_pattern(each.path), is_for_apps)
            app.router.register_resource(resource)
            _add(resource, each, bind)


def add_others(
    app: web.Application,
    routes: Iterable[Route],
    paths: Collection[tuple[str, str]],
    bind: Callable[[Endpoint], Handler],
) -> None:
    """Add all other routes, and each with a slash at its end: that no other interface has."""
    for each in routes:
        if (each.method, each.path) not in paths:
            _add(app.router.add_resource(each.path), each, bind)
        _add(app.router.add_resource(each.path + "/"), each, bind)


def _add(resource: Any, each: Route, bind: Callable[[Endpoint], Handler]) -> None:
    handler = rendered(bind(each))
    for method in ("GET", "HEAD") if each.method == "GET" else (each.method,):
        resource.add_route(method, handler)


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)


def _pattern(path: str) -> str:
    # A resource without a parameter would be a plain one, which has no pattern.
    return path
