"""Highlights of the home feed over the API: the order, its pages, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.edge.photo_responses import PhotoResponse
from server.edge.responses import HighlightsResponse
from storage import ids
from storage.models import Photo
from tests.support.api import Api, InspectableServices, running_api, with_limits
from tests.support.api_user import ApiUser, Response
from tests.support.community import new_user, ready_photo
from tests.support.driver_commands import commands

pytestmark = pytest.mark.engines


async def request(viewer: ApiUser, **query: Any) -> Response:
    """Request a page of highlights."""
    return await viewer.call("GET", "/feed", params={"order": "highlights", **query})


async def highlights(viewer: ApiUser, **query: Any) -> dict[str, Any]:
    """Return a page of highlights."""
    page: dict[str, Any] = (await request(viewer, **query)).expect(200)
    return page


async def community(api: Api, *likes: int) -> tuple[ApiUser, list[Photo]]:
    """Create a viewer, and a followed author for each photo; likes of the photos are given."""
    viewer, db = await api.user("viewer"), api.services.db
    photos = []
    for number, count in enumerate(likes):
        author = await new_user(db, f"author{number}")
        (await viewer.call("PUT", f"/users/{ids.encode(author.id)}/follow")).expect(204)
        photos.append(await ready_photo(db, author))
        await db.fetch("UPDATE photos SET likes = $2 WHERE id = $1", photos[-1].id, count)
    return viewer, photos


def ids_of(page: dict[str, Any]) -> list[str]:
    """Return the ids of a page."""
    return [item["id"] for item in page["items"]]


async def test_the_order(api: Api) -> None:
    """The most liked come first, in pages; the default order is the newest first, as before."""
    viewer, photos = await community(api, 3, 200, 0, 30)
    newest = [ids.encode(photo.id) for photo in reversed(photos)]
    liked = [ids.encode(photos[place].id) for place in (1, 3, 0, 2)]
    first = await highlights(viewer, limit=3)
    HighlightsResponse[PhotoResponse].model_validate(first)
    assert (ids_of(first), first["stream"], first["since"]) == (liked[:3], None, None)
    assert first["items"][0]["likes"] == 200
    # Likes change, and a photo is new; neither is in this order.
    (await viewer.call("PUT", f"/photos/{liked[3]}/like")).expect(200)
    second = await highlights(viewer, limit=3, cursor=first["next"])
    assert (ids_of(second), second["next"]) == (liked[3:], None)
    assert second["items"][0]["liked"] is True
    for query in ({}, {"order": "newest"}, {"source": "home"}):
        assert ids_of((await viewer.call("GET", "/feed", params=query)).expect(200)) == newest


async def test_since(api: Api) -> None:
    """The viewer's own time counts, or the previous visit, which begins with the first page after some hours."""
    viewer, photos = await community(api, 1, 2)
    moment = datetime.fromtimestamp(ids.milliseconds_of(photos[1].id) / 1000, UTC)
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    page = await highlights(viewer, since=text)
    assert (ids_of(page), page["since"]) == ([ids.encode(photos[1].id)], text)
    offset = moment.astimezone(datetime.now().astimezone().tzinfo).isoformat()
    assert await highlights(viewer, since=offset) == page
    assert (await highlights(viewer))["since"] is None


async def test_the_previous_visit_is_the_default(services: InspectableServices) -> None:
    """A request for highlights begins a visit, too, as each process notes once an hour."""
    seen = datetime.now(UTC) - timedelta(days=2)
    async with running_api(services) as api:
        viewer, photos = await community(api, 1, 2)
        me = ids.decode(viewer.id)
        await services.db.fetch("UPDATE users SET last_seen_at = $2 WHERE id = $1", me, seen)
        page = await highlights(viewer)
    assert len(ids_of(page)) == len(photos)
    assert datetime.fromisoformat(page["since"]) == seen.replace(microsecond=seen.microsecond // 1000 * 1000)


async def test_a_cursor_whose_list_is_gone(api: Api) -> None:
    """It is a 410 with a code that says so, also for another user's cursor; the first page works."""
    viewer, photos = await community(api, 1, 2)
    other = await api.user()
    cursor = (await highlights(viewer, limit=1))["next"]
    problem = (await request(other, cursor=cursor)).expect(410)
    assert (problem["code"], "Start again" in problem["detail"]) == ("cursor_expired", True)
    await commands(api.services.stores.redis).flushall()
    assert (await request(viewer, cursor=cursor)).expect(410)["code"] == "cursor_expired"
    assert len(ids_of(await highlights(viewer))) == len(photos)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"order": "highlights", "source": "tags"}, "order"),
        ({"order": "highlights", "source": "nowhere"}, "source"),
        ({"order": "best"}, "order"),
        ({"order": "best", "since": "2026-11-20T12:00:00Z"}, "order"),
        ({"since": "2026-11-20T12:00:00Z"}, "since"),
        ({"order": "newest", "since": "2026-11-20T12:00:00Z"}, "since"),
        ({"order": "highlights", "since": "2026-11-20T12:00:00"}, "since"),
        ({"order": "highlights", "since": "2026-11-20T12:00:00 01:00"}, "since"),
        ({"order": "highlights", "since": "2026-11-20"}, "since"),
        ({"order": "highlights", "since": ""}, "since"),
        ({"order": "highlights", "since": "9999-12-31T23:59:59-14:00"}, "since"),
        ({"order": "highlights", "since": "9" * 5000}, "since"),
        ({"order": "highlights", "cursor": "AAAA"}, "cursor"),
    ],
)
async def test_what_is_refused(api: Api, query: dict[str, str], field: str) -> None:
    """The error names the parameter, and only that."""
    viewer = await api.user()
    problem = (await viewer.call("GET", "/feed", params=query)).expect(400)
    assert problem["code"] == "invalid_parameter"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert (await api.visitor.call("GET", "/feed", params=query)).status == 401


async def test_a_cursor_belongs_to_its_order(api: Api) -> None:
    """One of another order or source is refused in each direction."""
    viewer, photos = await community(api, 1, 2)
    (await viewer.call("PUT", "/tags/sea/follow")).expect(204)
    for photo in photos:
        await ready_photo(api.services.db, await new_user(api.services.db, f"of{photo.id}"), tags=["sea"])
    queries: list[dict[str, Any]] = [{"order": "highlights"}, {"order": "newest"}, {"source": "tags"}]
    cursors = [
        (await viewer.call("GET", "/feed", params={**query, "limit": 1})).expect(200)["next"] for query in queries
    ]
    for place, query in enumerate(queries):
        for number, cursor in enumerate(cursors):
            response = await viewer.call("GET", "/feed", params={**query, "cursor": cursor})
            assert response.status == (200 if number == place else 400), (query, number)


async def test_the_limit_and_the_end_of_the_session(services: InspectableServices) -> None:
    """Highlights are charged to the same limit as other reads, and refused once the session has ended."""
    async with running_api(with_limits(services, reads="3/m")) as api:
        viewer = await api.user()
        first = await request(viewer)
        assert first.headers["RateLimit"].startswith('"reads";r=2;')
        (await viewer.call("GET", "/feed")).expect(200)
        (await request(viewer)).expect(200)
        assert (await request(viewer)).expect(429)["code"] == "too_many_requests"
        other = await api.user()
        (await other.call("DELETE", "/tokens/current")).expect(204)
        assert (await request(other)).expect(401)["code"] == "session_revoked"
