"""The responses that come with a page: those of the API for the user of the session, for no one else."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from server.edge.authentication import ACCESS_COOKIE, CSRF_COOKIE
from tests.support.api import Api, InspectableServices, running_api
from tests.support.api_user import ApiUser
from tests.support.documents import ROOT
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


@pytest.fixture
async def api(services: InspectableServices) -> AsyncIterator[Api]:
    """A running API with the web application."""
    settings = dataclasses.replace(services.settings, static_dir=ROOT / "static")
    async with running_api(dataclasses.replace(services, settings=settings)) as running:
        yield running


async def opened(api: Api, path: str, token: str | None, accept: str = "text/html") -> tuple[str, str]:
    """Return the page at a path, as a browser opens it with the cookies of a session, and its `Cache-Control`."""
    cookies = {} if token is None else {"Cookie": f"{ACCESS_COOKIE}={token}; {CSRF_COOKIE}=x"}
    response = await api.get(path, headers={"Accept": accept, **cookies})
    assert response.status == 200
    return response.body.decode(), response.headers["Cache-Control"]


def responses_in(page: str) -> dict[str, Any]:
    """Return the responses in a page by their paths."""
    text = page.partition('id="first-responses">')[2].partition("</script>")[0]
    return {path: body for path, _, body in orjson.loads(text)["responses"]} if text else {}


async def test_a_page_has_the_responses_that_it_shows_first(api: Api) -> None:
    """The account, and the feed, the photo or the profile; no cache keeps them."""
    ann = await api.user("ann")
    photo = await ann.upload(photograph(), "first")
    await api.finish(photo)
    own = (await ann.call("GET", "/users/me")).expect(200)
    expected = {
        "/": {"/feed"},
        f"/p/{photo['id']}": {f"/photos/{photo['id']}"},
        "/u/ann": {"/users/ann", f"/users/{own['id']}/photos", f"/users/{own['id']}/collections"},
        "/discover": set[str](),
    }
    for path, paths in expected.items():
        page, caching = await opened(api, path, ann.token)
        found = responses_in(page)
        assert set(found) == {"/users/me", *paths}
        assert found["/users/me"]["username"] == "ann"
        assert caching == "no-store"
    page, _ = await opened(api, "/", ann.token)
    assert [item["id"] for item in responses_in(page)["/feed"]["items"]] == [photo["id"]]


async def test_others_get_none(api: Api) -> None:
    """Visitors, ended sessions, and programs that open no page."""
    ann = await api.user("ann")
    ended: ApiUser = await api.user("ben")
    (await ended.call("DELETE", "/tokens/current")).expect(204)
    for token, accept in (
        (None, "text/html"),
        ("no token", "text/html"),
        (ended.token, "text/html"),
        (ann.token, "*/*"),
    ):
        page, caching = await opened(api, "/", token, accept)
        assert responses_in(page) == {}
        assert caching == "no-cache"


async def test_a_photo_that_the_user_may_not_see_is_left_out(api: Api) -> None:
    """The script asks for it, and shows the error."""
    ann, ben = await api.user("ann"), await api.user("ben")
    photo = await ann.upload(photograph(), "for followers")
    await api.finish(photo)
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    page, _ = await opened(api, f"/p/{photo['id']}", ben.token)
    assert set(responses_in(page)) == {"/users/me"}


async def test_visitors_see_the_text_of_the_sign_in_page(api: Api) -> None:
    """In their language; the file that the service worker stores has none, since it opens all pages."""
    visited = await api.get("/", headers={"Accept": "text/html", "Accept-Language": "de"})
    assert "Fotos von" in visited.body.decode().partition("<noscript>")[0]
    stored = await api.get("/", headers={"Accept": "*/*"})
    assert '<div id="app"></div>' in stored.body.decode()
