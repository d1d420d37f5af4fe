"""The time at which a photo was taken, given when it is posted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.integration.server.api.test_photo_items import items_of
from tests.support.api import Api
from tests.support.api_user import ApiUser, Response
from tests.support.pictures import encoded, halves, photograph

pytestmark = pytest.mark.engines

GIVEN, STORED = "2024-05-12T23:30:00+09:00", "2024-05-12T14:30:00.000Z"


async def post_form(user: ApiUser, *times: str) -> Response:
    """Post a photo by a form."""
    form = aiohttp.FormData()
    for time in times:
        form.add_field("taken_at", time)
    form.add_field("file", encoded(halves()), filename="a.jpg", content_type="image/jpeg")
    return await user.call("POST", "/photos", data=form)


async def test_every_way_of_posting_takes_the_time(api: Api) -> None:
    """A form, an upload and several uploads; the time of the file does not replace it, and others see it."""
    ann, bob = await api.user(), await api.user()
    one, *several = await items_of(
        api, ann, *(photograph(name).read_bytes() for name in ("rocket", "temple", "flower"))
    )
    bodies: list[dict[str, Any]] = [{"upload_id": one["upload_id"]}, {"items": several}]
    posted = [await post_form(ann, GIVEN)]
    posted += [await ann.call("POST", "/photos", json={**body, "taken_at": GIVEN}) for body in bodies]
    for response in posted:
        photo = response.expect(201)
        assert photo["taken_at"] == STORED
        assert photo["edited_at"] is None
        await api.finish(photo, taken_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert (await bob.call("GET", f"/photos/{photo['id']}")).expect(200)["taken_at"] == STORED


@pytest.mark.parametrize("times", [("2024-05-12",), ("2999-01-01T00:00:00Z",), ("yesterday",), (GIVEN, GIVEN)])
async def test_another_time_is_refused(api: Api, times: tuple[str, ...]) -> None:
    """A time without offset, in the future, that is none, or given twice is a 422 at its field."""
    response = await post_form(await api.user(), *times)
    assert [error["field"] for error in response.expect(422)["errors"]] == ["taken_at"]


async def test_without_a_time_that_of_the_file_counts(api: Api) -> None:
    """Nothing, or an empty text, leaves it to the EXIF."""
    ann = await api.user()
    for times in ((), ("",)):
        photo = (await post_form(ann, *times)).expect(201)
        assert photo["taken_at"] is None
        await api.finish(photo, taken_at=datetime(2020, 1, 1, tzinfo=UTC))
        shown = (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)
        assert shown["taken_at"] == "2020-01-01T00:00:00.000Z"
