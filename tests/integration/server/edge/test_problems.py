"""Every error of every route is problem+json: the API, images, pages and their files, and live endpoints."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from server.composition.application import make_app
from storage.redis.client import Redis
from tests.integration.server.edge.test_responses import STATIC
from tests.support.api import Api, InspectableServices, with_limits
from tests.support.api_user import ApiUser
from tests.support.live_api import running_live_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VALUES = {
    "sha256": "0" * 64,
    "variant": "thumb",
    "recipe": "1",
    "size": "320",
    "format": "jpg",
    "extension": "jpg",
    "list": "followers",
    "path": "nothing.css",
}
CONTENT_TYPE = {"Content-Type": "application/json"}
# What is wrong with a request that a route accepts.
FLAWS: dict[str, dict[str, Any]] = {
    "without credentials": {},
    "a wrong token": {"headers": {"Authorization": "Bearer x"}},
    "another origin": {"headers": {"Origin": "https://other.example"}},
    "a broken body": {"data": b"{", "headers": CONTENT_TYPE},
    "a wrong body": {"data": b"[1]", "headers": CONTENT_TYPE},
    "another type": {"data": b"x", "headers": {"Content-Type": "text/plain"}},
    "a compressed body": {"data": b"x", "headers": {**CONTENT_TYPE, "Content-Encoding": "gzip"}},
    "a large body": {"data": b"[" * 100_000, "headers": CONTENT_TYPE},
    "a wrong query": {"params": {"limit": "x", "cursor": "x", "cf_connect": "x", "ticket": "x", "last_event_id": "x"}},
    "another file": {"headers": {"If-Match": '"x"'}},
    "a far range": {"headers": {"Range": "bytes=99999999-"}},
}


@dataclasses.dataclass(frozen=True)
class Target:
    """A path, and the methods of its routes."""

    path: str
    methods: frozenset[str]


def targets(app: web.Application, **values: str) -> Iterator[Target]:
    """Yield every resource of the application, with `values` for the parameters in its path."""
    for resource in app.router.resources():
        path = re.sub(r"{(\w+)}", lambda match: {**VALUES, **values}.get(match[1], "x"), resource.canonical)
        yield Target(path, frozenset(route.method for route in resource))


def cache_control(path: str, code: str) -> str:
    """Return what caches may do with an error: a missing variant may be kept for seconds, nothing else at all."""
    return "public, max-age=10" if code == "image_not_found" and "/original." not in path else "no-store"


async def flaw_of(api: Api, method: str, path: str, **options: Any) -> str | None:
    """Send a request; return what is wrong with its response if that is an error, or None."""
    async with api.session.request(method, api.url + path, **options) as response:
        if response.status < 400:
            response.close()  # it may be a stream
            return None
        body, case = await response.read(), f"{method} {path} {options}: {response.status}"
    if response.headers.get("Content-Type") != "application/problem+json":
        return f"{case} is {response.headers.get('Content-Type')} {body[:80]!r}"
    problem = json.loads(body)
    good = (
        problem["status"] == response.status
        and problem["type"] == f"/docs#{problem['code']}"
        and problem["request_id"] == response.headers["X-Request-Id"]
        and response.headers["Cache-Control"] == cache_control(path, problem["code"])
        and response.headers["Server"] == "PicShare"
    )
    return None if good else f"{case} {dict(response.headers)} {problem}"


def with_token(user: ApiUser, options: dict[str, Any]) -> dict[str, Any]:
    """Return options of a request with a user's credentials as well."""
    return {**options, "headers": {"Authorization": f"Bearer {user.token}", **options.get("headers", {})}}


async def test_every_error_of_every_route_is_a_problem(services: InspectableServices, redis: Redis) -> None:
    """Whatever is wrong with a request, the response explains it in the one format of all errors."""
    services = with_limits(services, anonymous="100000/m", reads="100000/m")
    # Errors of the interface for Mastodon's apps have the form of theirs.
    settings = dataclasses.replace(services.settings, static_dir=STATIC, mastodon=False)
    services = dataclasses.replace(services, settings=settings)
    async with running_live_api(services, redis) as api:
        ann = await api.user()
        photo = await ann.upload(photograph())
        await api.finish(photo)
        sha256 = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]["thumb"].split("/")[-2]
        app, found = make_app(dataclasses.replace(services, live=api.services.live)), []
        existing = list(targets(app, sha256=sha256, path="live.js"))
        # Most paths have neither of the two parameters, and are the same in both lists.
        for target in dict.fromkeys([*targets(app), *existing]):
            if target.path.startswith("/oauth/"):
                continue  # their errors have the form of RFC 6749
            for method in METHODS:
                accepted = method in target.methods
                for options in FLAWS.values() if accepted else [FLAWS["without credentials"]]:
                    found.append(await flaw_of(api, method, target.path, **options))
                    if accepted and method != "DELETE":
                        found.append(await flaw_of(api, method, target.path, **with_token(ann, options)))
            found.append(await flaw_of(api, "GET", target.path + "/nothing/%00"))
    assert [flaw for flaw in found if flaw is not None] == []
