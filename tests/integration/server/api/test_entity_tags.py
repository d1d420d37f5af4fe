"""Entity tags of first pages: a client that asks again gets a 304, until anything that it would see changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.api.table import endpoints
from server.media import urls
from storage import ids
from storage.stores.accounts import account_fields
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser, Response
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

LISTS = (
    "/feed",
    "/feed?order=highlights",
    "/feed?source=tags",
    "/notifications",
    "/photos",
    "/photos/trending",
    "/search?q=a",
    "/tags/trending",
    "/users/me/photos",
)


async def shared(author: ApiUser, api: Api, caption: str = "") -> str:
    """Share a photo, and return its id."""
    photo = await author.upload(photograph(), caption)
    await api.finish(photo)
    photo_id: str = photo["id"]
    return photo_id


async def deliver(api: Api, viewer: ApiUser, photo_id: str) -> None:
    """Do what the fan-out worker does."""
    await api.services.stores.feeds.insert(ids.decode(photo_id), [ids.decode(viewer.id)], b"{}")


async def again(viewer: ApiUser, path: str, known: Response) -> Response:
    """Request a list that the viewer has already."""
    return await viewer.call("GET", path, headers={"If-None-Match": known.headers["ETag"]})


def test_which_lists_have_a_tag(api: Api) -> None:
    """The test names each endpoint with an entity tag."""
    tagged = {endpoint.path for endpoint in endpoints(api.services) if endpoint.tagged}
    assert tagged == {path.partition("?")[0].replace("/me/", "/{id}/") for path in LISTS}


@pytest.mark.parametrize("path", LISTS)
async def test_an_unchanged_list_is_not_sent_again(api: Api, path: str) -> None:
    """A 304 has no body and the header fields of the 200: tag, rule for caches, and the limit, charged again."""
    viewer = await api.user("anna")
    await shared(viewer, api)
    await viewer.call("GET", path)  # what Redis lacks is loaded, and the feed built
    first = await viewer.call("GET", path)
    assert first.expect(200) is not None
    assert first.headers["ETag"].startswith('W/"')
    same = await again(viewer, path, first)
    assert (same.status, same.body) == (304, b"")
    for name in ("ETag", "Cache-Control", "RateLimit-Policy"):
        assert same.headers[name] == first.headers[name]
    assert same.headers["Cache-Control"] == "private, no-cache"
    assert same.headers["RateLimit"]
    assert "Content-Type" not in same.headers
    for known in ('"other"', 'W/"other"', "", "nonsense"):
        assert (await viewer.call("GET", path, headers={"If-None-Match": known})).status == 200
    several = f'"other", {first.headers["ETag"]}'
    assert (await viewer.call("GET", path, headers={"If-None-Match": several})).status == 304


async def test_everything_that_a_client_sees_changes_the_tag(api: Api) -> None:
    """A new photo, a removed one, counters, the viewer's like, an edited caption, and a renamed author."""
    viewer, author = await api.user("viewer"), await api.user("author")
    await viewer.follow(author)
    gone, photo = await shared(author, api), await shared(author, api)
    for photo_id in (gone, photo):
        await deliver(api, viewer, photo_id)
    other = await api.user()

    async def upload() -> None:
        await deliver(api, viewer, await shared(author, api))

    async def rename() -> None:
        async with api.services.db.transaction() as tx:
            await account_fields.update(tx, ids.decode(author.id), display_name="Another")
        await api.services.stores.cards.invalidate([ids.decode(photo), ids.decode(gone)])

    changes: dict[str, Callable[[], Awaitable[Any]]] = {
        "like": lambda: other.call("PUT", f"/photos/{photo}/like"),
        "own like": lambda: viewer.call("PUT", f"/photos/{photo}/like"),
        "unlike": lambda: other.call("DELETE", f"/photos/{photo}/like"),
        "comment": lambda: other.call("POST", f"/photos/{photo}/comments", json={"text": "Hello"}),
        "caption": lambda: author.call("PATCH", f"/photos/{photo}", json={"caption": "New"}),
        "name": rename,
        "new photo": upload,
        "deletion": lambda: author.call("DELETE", f"/photos/{gone}"),
    }
    await viewer.call("GET", "/feed")
    known = await viewer.call("GET", "/feed")
    for name, change in changes.items():
        assert (await again(viewer, "/feed", known)).status == 304, name
        await change()
        changed = await again(viewer, "/feed", known)
        assert changed.status == 200, name
        assert changed.body != known.body, name
        known = await viewer.call("GET", "/feed")


async def test_signed_urls_change_the_tag_every_ten_minutes(
    services: InspectableServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only on pages with a photo of a private account."""
    now = 1_795_000_000.0 // urls.ROUNDING * urls.ROUNDING + 10
    monkeypatch.setattr(services.media_urls, "_clock", lambda: now)
    async with running_api(services) as api:
        private, public = await api.user(), await api.user()
        (await private.call("PATCH", "/users/me", json={"private": True})).expect(200)
        for user, statuses in ((private, [304, 200]), (public, [304, 304])):
            now = 1_795_000_000.0 // urls.ROUNDING * urls.ROUNDING + 10
            await shared(user, api)
            await user.call("GET", "/feed")
            known = await user.call("GET", "/feed")
            found = []
            for later in (urls.ROUNDING - 20, 20):
                now += later
                found.append((await again(user, "/feed", known)).status)
            assert found == statuses


async def test_later_pages_and_errors_have_no_tag(api: Api) -> None:
    """They are not kept by the browser either."""
    viewer = await api.user()
    for _ in range(2):
        await shared(viewer, api)
    cursor = (await viewer.call("GET", "/photos?limit=1")).expect(200)["next"]
    for path, status in ((f"/photos?limit=1&cursor={cursor}", 200), ("/photos?limit=x", 400), ("/users/me", 200)):
        response = await viewer.call("GET", path)
        assert response.status == status
        assert "ETag" not in response.headers
        assert response.headers["Cache-Control"] == "no-store"


async def test_a_304_is_charged_and_ends_with_the_session(services: InspectableServices) -> None:
    """A client that has the page may not ask more often, nor after its session."""
    async with running_api(with_limits(services, reads="3/m")) as api:
        viewer = await api.user()
        known = await viewer.call("GET", "/feed")
        known = await viewer.call("GET", "/feed")
        same = await again(viewer, "/feed", known)
        assert same.status == 304
        assert same.headers["RateLimit"].startswith('"reads";r=0;')
        assert (await again(viewer, "/feed", known)).status == 429
        other = await api.user()
        known = await other.call("GET", "/feed")
        (await other.call("DELETE", "/tokens/current")).expect(204)
        refused = await again(other, "/feed", known)
        assert refused.status == 401
        assert "ETag" not in refused.headers


async def test_the_tag_is_that_of_the_viewer_s_own_page(api: Api) -> None:
    """Another user of the same browser gets another page."""
    ann, bea = await api.user(), await api.user()
    await shared(ann, api)
    await shared(bea, api)
    known = await ann.call("GET", "/feed")
    assert (await again(bea, "/feed", known)).status == 200
