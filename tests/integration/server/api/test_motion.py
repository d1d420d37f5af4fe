"""Animations over HTTP: the image with all frames, in the API and under its URL."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from storage.blobs.keys import variant_key
from tests.support.animations import animated
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

DATA = animated("GIF")
SHA256 = hashlib.sha256(DATA).hexdigest()
STILL = photograph().read_bytes()


async def animation(api: Api, user: ApiUser) -> dict[str, Any]:
    """Upload an animation, store its images as the workers do, and return its JSON."""
    photo = await user.upload(DATA)
    await api.finish(photo, width=64, height=48, motion="webp")
    await api.services.blobs.put(variant_key(SHA256, 1, "motion.webp"), b"RIFFmotion", content_type="image/webp")
    shown: dict[str, Any] = (await user.call("GET", f"/photos/{photo['id']}")).expect(200)
    return shown


async def test_an_animation_has_an_image_with_all_frames(api: Api) -> None:
    """`images.motion` leads to an image that is cached as the others are; it is in the feed as well."""
    ann = await api.user()
    photo = await animation(api, ann)
    motion = photo["images"]["motion"]
    assert motion == {"width": 64, "height": 48, "webp": f"/media/r1/{SHA256}/motion.webp"}
    response = await api.get(motion["webp"])
    assert (response.status, response.body) == (200, b"RIFFmotion")
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["ETag"] == f'"{SHA256[:12]}-r1-motion.webp"'
    assert [shown["images"] for shown in await ann.feed()] == [photo["images"]]


async def test_a_still_photo_has_none(api: Api) -> None:
    """A still photo has no `motion`, and its URL would be a 404, for which no worker is asked."""
    ann = await api.user()
    photo = await ann.upload(STILL)
    await api.finish(photo)
    assert "motion" not in (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["images"]
    sha256 = hashlib.sha256(STILL).hexdigest()
    response = await api.get(f"/media/r1/{sha256}/motion.webp")
    assert (response.status, response.headers["Cache-Control"]) == (404, "public, max-age=10")
    assert await api.services.db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'variant.wanted'") == 0
    for name in ("motion.jpg", "motion.gif", "motion"):
        assert (await api.get(f"/media/r1/{SHA256}/{name}")).status == 404


async def test_a_private_animation_is_signed(api: Api) -> None:
    """The signature of a private photo's images serves its motion; without it there is none."""
    ann = await api.user()
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    url = (await animation(api, ann))["images"]["motion"]["webp"]
    assert (await api.get(url)).status == 200
    assert (await api.get(url.partition("?")[0])).status == 404


async def test_the_motion_is_gone_with_its_photo(api: Api) -> None:
    """After the photo was deleted the URL is a 404."""
    ann = await api.user()
    photo = await animation(api, ann)
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert (await api.get(photo["images"]["motion"]["webp"])).status == 404
