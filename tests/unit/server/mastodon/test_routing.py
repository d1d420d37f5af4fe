"""Which paths both interfaces have, and what errors look like."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiohttp import web

from server.edge.endpoint import Endpoint
from server.edge.problem import ProblemError
from server.mastodon.endpoint import Route, route
from server.mastodon.routing import covers, render, shared


async def _handler(_request: Any) -> web.Response:
    return web.Response()


def _own(method: str, path: str) -> Endpoint:
    return Endpoint(method=method, path=path, handler=_handler, summary="", tag="")


def _route(method: str, path: str) -> Route:
    return route(method, path, _handler)


@pytest.mark.parametrize(
    ("path", "other", "expected"),
    [
        ("/a", "/a", True),
        ("/a/{id}", "/a/{name}", True),
        ("/a/{id}", "/a/fixed", True),
        ("/a/fixed", "/a/{id}", False),
        ("/a/{id}", "/a/{id}/b", False),
        ("/a", "/b", False),
    ],
)
def test_a_path_covers_another(path: str, other: str, expected: bool) -> None:
    """If every request to the other fits it, too."""
    assert covers(path, other) is expected


def test_routes_of_both_interfaces_are_found() -> None:
    """By method and path, each with the path that PicShare has there."""
    routes = [_route("GET", "/api/v1/lists"), _route("PUT", "/api/v1/lists"), _route("GET", "/api/v1/tags/{tag}")]
    own = [_own("GET", "/lists"), _own("POST", "/lists"), _own("GET", "/tags/trending")]
    assert [(each.method, path) for each, path in shared(routes, own)] == [
        ("GET", "/api/v1/lists"),
        ("GET", "/api/v1/tags/trending"),
    ]


@pytest.mark.parametrize(("status", "shown"), [(404, 404), (409, 422), (422, 422), (429, 429), (401, 401)])
def test_an_error_is_what_apps_understand(status: int, shown: int) -> None:
    """One sentence in the member `error`; a conflict has the status that Mastodon uses for it."""
    response = render(ProblemError(status, "code", "What is wrong.", headers={"Retry-After": "3"}))
    assert response.status == shown
    assert orjson.loads(response.body or b"") == {"error": "What is wrong."}  # type: ignore[arg-type]
    assert response.headers["Retry-After"] == "3"
