"""The API of avatars and banners."""

from __future__ import annotations

import aiohttp
import pytest

from storage.models import ProfileImageKind
from storage.stores.media import profile_images
from tests.support.api import Api
from tests.support.api_user import ApiUser, Response
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

KINDS = ["avatar", "banner"]


async def put(user: ApiUser, kind: str, data: bytes, **fields: str) -> Response:
    """Upload an image and return the response."""
    form = aiohttp.FormData(fields)
    form.add_field("file", data, filename="me.jpg", content_type="image/jpeg")
    return await user.call("PUT", f"/users/me/{kind}", data=form)


async def finish(api: Api, user: ApiUser, kind: str) -> None:
    """Do what the media worker does."""
    rows = await api.services.db.fetch("SELECT user_id, sha256 FROM profile_images WHERE state = 'processing'")
    for row in rows:
        async with api.services.db.transaction() as tx:
            assert await profile_images.mark_ready(tx, row["user_id"], ProfileImageKind(kind), row["sha256"])


@pytest.mark.parametrize("kind", KINDS)
async def test_an_image_of_a_profile(api: Api, kind: str) -> None:
    """An upload is accepted, appears in the profile once it is processed, and can be removed."""
    ann = await api.user("ann")
    path = f"/users/me/{kind}"
    assert (await ann.call("GET", path)).expect(200) == {"state": None, "reason": None, "url": None}
    uploaded = (await put(ann, kind, photograph().read_bytes())).expect(202)
    assert uploaded == {"state": "processing", "reason": None, "url": None}
    assert (await api.visitor.call("GET", "/users/ann")).expect(200)[f"{kind}_url"] is None
    await finish(api, ann, kind)
    status = (await ann.call("GET", path)).expect(200)
    assert status["state"] == "ready"
    for shown in ("/users/ann", "/users/me"):
        assert (await ann.call("GET", shown)).expect(200)[f"{kind}_url"] == status["url"]
    (await ann.call("DELETE", path)).expect(204)
    (await ann.call("DELETE", path)).expect(204)
    assert (await api.visitor.call("GET", "/users/ann")).expect(200)[f"{kind}_url"] is None


@pytest.mark.parametrize("kind", KINDS)
async def test_bad_images_are_refused_like_photos(api: Api, kind: str) -> None:
    """Another file type, an empty file, a form without a file and a form with other fields get clear errors."""
    ann = await api.user()
    assert (await put(ann, kind, b"<svg/>")).expect(415)["code"] == "unsupported_media_type"
    assert (await put(ann, kind, b"")).expect(422)["code"] == "image_corrupt"
    assert (await put(ann, kind, photograph().read_bytes(), caption="me")).expect(422)["errors"][0][
        "field"
    ] == "caption"
    assert (await ann.call("PUT", f"/users/me/{kind}", data={"x": "y"})).status in {415, 422}
    assert (await ann.call("PUT", f"/users/me/{kind}", json={})).expect(415)
    (await put(api.visitor, kind, photograph().read_bytes())).expect(401)
