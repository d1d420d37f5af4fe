"""Variants of images over HTTP: their URLs, validators, and what caches may keep."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from server.composition.signing import media_urls
from server.media.variant_requests import VariantRequests
from server.media.variants import DECISION_TTL
from storage.blobs.keys import variant_key
from storage.blobs.port import Blob, Blobs
from storage.cache.variant_states import VariantStates
from storage.errors import UnavailableError
from storage.stores.media import variants
from tests.support.api import SECRET, Api, InspectableServices, running_api, with_blobs, with_media
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

DATA = photograph().read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
MISSING = "public, max-age=10"


async def ready_photo(api: Api, user: ApiUser) -> dict[str, Any]:
    """Upload the photograph, make its eager variants, and return its JSON."""
    photo = await user.upload(DATA)
    await api.finish(photo)
    shown: dict[str, Any] = (await user.call("GET", f"/photos/{photo['id']}")).expect(200)
    return shown


async def test_a_photo_lists_its_images(api: Api) -> None:
    """`images` has the sizes that differ, with a URL for each format; the eager ones answer in their format."""
    ann = await api.user()
    photo = await ready_photo(api, ann)
    sizes = [(image["width"], image["height"]) for image in photo["images"]["sizes"]]
    assert sizes == [(160, 160), (320, 214), (640, 427)]
    assert photo["images"]["sizes"][1]["webp"] == f"/media/r1/{SHA256}/320.webp"
    for image in photo["images"]["sizes"][1:]:
        if image["jpg"].endswith(("320.jpg", "1080.jpg")):
            for name, content_type in (("jpg", "image/jpeg"), ("webp", "image/webp")):
                response = await api.get(image[name])
                assert (response.status, response.headers["Content-Type"]) == (200, content_type)
    assert [shown["images"] for shown in await ann.feed()] == [photo["images"]]


async def test_former_urls_give_the_new_variants(api: Api) -> None:
    """`thumb.jpg` and `feed.jpg` answer as before, and caches keep them for a day, because a recipe may change them."""
    await ready_photo(api, await api.user())
    for former, name in (("thumb", "320.jpg"), ("feed", "1080.jpg")):
        response = await api.get(f"/media/{SHA256}/{former}.jpg")
        assert (response.status, response.headers["ETag"]) == (200, f'"{SHA256[:12]}-r1-{name}"')
        assert response.headers["Cache-Control"] == "public, max-age=86400, stale-while-revalidate=86400"


@pytest.mark.parametrize(
    "path",
    [
        f"r1/{SHA256}/321.jpg",
        f"r1/{SHA256}/320.png",
        f"r1/{SHA256}/0320.jpg",
        f"r2/{SHA256}/320.jpg",
        f"r0/{SHA256}/320.jpg",
        f"r01/{SHA256}/320.jpg",
    ],
)
async def test_unknown_variants_are_404_before_any_work(services: InspectableServices, path: str) -> None:
    """A size, format or recipe that is not in the registry is a 404, for which neither database nor store is asked."""
    untouchable = dataclasses.replace(services, db=cast(Any, None), blobs=cast(Any, None))
    async with running_api(untouchable) as api:
        response = await api.get(f"/media/{path}")
        assert (response.status, response.headers["Cache-Control"]) == (404, MISSING)


async def test_404s_of_images_may_be_cached_for_seconds(api: Api) -> None:
    """A cache that refreshes a deleted image replaces its copy by the 404; "no-store" would let it keep the copy."""
    ann = await api.user()
    photo = await ready_photo(api, ann)
    url = photo["urls"]["feed"]
    assert (await api.get(url)).status == 200
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    for gone in (url, f"/media/{SHA256}/feed.jpg", f"/media/r1/{'0' * 64}/320.jpg"):
        response = await api.get(gone)
        assert (response.status, response.headers["Cache-Control"]) == (404, MISSING)
        assert response.json["code"] == "image_not_found"


async def test_what_is_hidden_while_it_is_read_is_404(services: InspectableServices) -> None:
    """A response that takes longer is decided once more: caches were purged in the meantime."""
    blobs = GatedBlobs(services.stores.blobs)
    async with running_api(with_blobs(services, blobs)) as api:
        ann = await api.user()
        photo = await ready_photo(api, ann)
        blobs.gate.clear()
        request = asyncio.create_task(api.get(photo["urls"]["feed"]))
        await eventually(lambda: blobs.waiting)
        (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
        deleted = time.monotonic()
        await eventually(lambda: time.monotonic() - deleted > DECISION_TTL)
        blobs.gate.set()
        assert (await request).status == 404


async def test_images_have_surrogate_keys_for_a_hook(services: InspectableServices) -> None:
    """A CDN purges by the hash in this header; without a hook there is none."""
    base = dataclasses.replace(services.settings, surrogate_keys=True)
    for settings, key in ((services.settings, None), (base, SHA256)):
        async with running_api(dataclasses.replace(services, settings=settings)) as api:
            photo = await ready_photo(api, await api.user())
            assert (await api.get(photo["urls"]["feed"])).headers.get("Surrogate-Key") == key


class GatedBlobs:
    """A blob store whose `open` waits while `gate` is cleared."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def open(self, key: str) -> Blob:
        """Wait, then return the object."""
        self.waiting += not self.gate.is_set()
        await self.gate.wait()
        return await self._blobs.open(key)


async def test_entity_tags_do_not_depend_on_the_file(api: Api) -> None:
    """The tag is made of hash, recipe and size, so a restored or copied store keeps what browsers have cached."""
    photo = await ready_photo(api, await api.user())
    url = photo["urls"]["thumb"]
    first = await api.get(url)
    tag = first.headers["ETag"]
    assert tag == f'"{SHA256[:12]}-r1-320.jpg"'
    blob = await api.services.blobs.open(variant_key(SHA256, 1, "320.jpg"))
    assert blob.path is not None
    os.utime(blob.path, (1_000_000_000, 1_000_000_000))
    assert (await api.get(url)).headers["ETag"] == tag
    for validators in ({"If-None-Match": tag}, {"If-None-Match": f'"x", W/{tag}'}, {"If-None-Match": "*"}):
        unchanged = await api.get(url, headers=validators)
        assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", tag)
        assert unchanged.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (await api.get(url, headers={"If-None-Match": '"other"'})).status == 200
    assert (await api.get(url, headers={"If-Match": '"other"'})).status == 412
    assert (await api.get(url, headers={"If-Match": tag})).status == 200
    part = {"Range": "bytes=1-2", "If-Range": tag}
    assert ((await api.get(url, headers=part)).status, (await api.get(url, headers=part)).body) == (206, b"ar")
    assert (await api.get(url, headers={**part, "If-Range": '"other"'})).status == 200


@asynccontextmanager
async def without_workers(services: InspectableServices) -> AsyncIterator[Api]:
    """Run an API that waits for a variant for a moment only."""
    requests = VariantRequests(
        services.db, services.blobs, services.variants, VariantStates(services.stores.redis), timeout=0.05
    )
    async with running_api(dataclasses.replace(services, variant_requests=requests)) as api:
        yield api


async def test_while_a_variant_is_being_made_a_smaller_one_is_shown(services: InspectableServices) -> None:
    """After the timeout the response leads to the next smaller eager variant, and no cache keeps that."""
    async with without_workers(services) as api:
        await ready_photo(api, await api.user())
        for wanted, shown in (("2048.webp", "1080.webp"), ("640.webp", "320.webp"), ("1080.avif", "1080.jpg")):
            response = await api.get(f"/media/r1/{SHA256}/{wanted}", allow_redirects=False)
            assert (response.status, response.headers["Cache-Control"]) == (302, "no-store")
            assert response.headers["Location"] == f"/media/r1/{SHA256}/{shown}"
        assert (await api.get(f"/media/r1/{SHA256}/2048.webp")).headers["Content-Type"] == "image/webp"


async def test_without_a_smaller_variant_the_client_tries_again(services: InspectableServices) -> None:
    """Where there is nothing to show meanwhile, the response is a 503, never a 404, which a cache would keep."""
    async with without_workers(services) as api:
        await ready_photo(api, await api.user())
        response = await api.get(f"/media/r1/{SHA256}/160.jpg", allow_redirects=False)
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert response.headers["Cache-Control"] == "no-store"
        await api.services.blobs.delete([variant_key(SHA256, 1, name) for name in services.variants.eager])
        for path in (f"r1/{SHA256}/320.jpg", f"{SHA256}/thumb.jpg", f"{SHA256}/feed.jpg"):
            assert (await api.get(f"/media/{path}", allow_redirects=False)).status == 503


async def test_a_signature_also_serves_the_smaller_variant(services: InspectableServices) -> None:
    """The redirection keeps the signature, which is that of all images of the photo."""
    async with without_workers(services) as api:
        ann = await api.user()
        (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
        photo = await ready_photo(api, ann)
        url = photo["images"]["sizes"][-1]["avif"]
        response = await api.get(url, allow_redirects=False)
        assert response.status == 302
        assert (await api.get(response.headers["Location"])).status == 200
        assert (await api.get(url.partition("?")[0], allow_redirects=False)).status == 404


async def test_the_form_and_the_secret_of_signatures_are_settings(services: InspectableServices) -> None:
    """With `media.signature = "nginx"` URLs have that form; those of a previous secret stay valid."""
    async with running_api(services) as api:
        ann = await api.user()
        (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
        before = (await ready_photo(api, ann))["urls"]["thumb"]
    former = SECRET.decode()
    changed = with_media(services, signature="nginx", previous_secrets=[former], url_ttl=7200)
    base = changed.base.with_values("auth", secret=former[::-1])
    urls = media_urls(base)
    async with running_api(dataclasses.replace(changed, media_urls=urls)) as api:
        assert (await api.get(before)).status == 200
        prefix = before.partition("320.jpg")[0]
        query = urls.sign(prefix)
        assert len(query.partition("sig=")[2]) == 22  # base64url of an MD5, without padding
        signed = await api.get(f"{prefix}320.jpg?{query}")
        assert signed.status == 200
        assert int(signed.headers["Cache-Control"].split("max-age=")[1].split(",")[0]) >= 7200 - 60
    async with running_api(
        dataclasses.replace(services, media_urls=media_urls(services.base.with_values("auth", secret=former[::-1])))
    ) as api:
        assert (await api.get(before)).status == 404


async def test_a_variant_that_cannot_be_made_is_a_404(api: Api) -> None:
    """A refused variant is a 404 that is cached for seconds."""
    await ready_photo(api, await api.user())
    async with api.services.db.transaction() as tx:
        await variants.record(tx, SHA256, recipe=1, sizes={"640.webp": 0})
    response = await api.get(f"/media/r1/{SHA256}/640.webp")
    assert (response.status, response.headers["Cache-Control"]) == (404, MISSING)


async def test_an_outage_is_a_503(services: InspectableServices) -> None:
    """While the database or the store is down, an image is a 503, also one that does not exist."""

    class Down:
        async def fetchval(self, *_: object) -> None:
            raise UnavailableError("postgres", "down")

        async def open(self, _key: str) -> None:
            raise UnavailableError("blobs", "down")

    async with running_api(services) as api:
        await ready_photo(api, await api.user())
    down = cast(Any, Down())
    for outage in ({"db": down}, {"blobs": down}):
        async with running_api(dataclasses.replace(services, **outage)) as api:
            for name in ("320.jpg", "640.webp"):
                response = await api.get(f"/media/r1/{SHA256}/{name}", allow_redirects=False)
                assert (response.status, response.headers["Cache-Control"]) == (503, "no-store")


async def test_requests_are_counted_by_result(services: InspectableServices) -> None:
    """Each request that may see the image is counted by size, format and result."""
    counted: list[tuple[str, str, str]] = []

    class Metrics:
        def variant_requested(self, *, size: str, format: str, result: str) -> None:  # noqa: A002
            counted.append((size, format, result))

    async with without_workers(dataclasses.replace(services, variant_metrics=Metrics())) as api:
        await ready_photo(api, await api.user())
        for path in (f"r1/{SHA256}/320.jpg", f"{SHA256}/feed.jpg", f"r1/{SHA256}/160.jpg", f"r1/{'0' * 64}/320.jpg"):
            await api.get(f"/media/{path}", allow_redirects=False)
    assert counted == [("320", "jpg", "hit"), ("1080", "jpg", "hit"), ("160", "jpg", "late")]


async def test_urls_of_an_earlier_recipe_give_the_present_variants(services: InspectableServices) -> None:
    """After a new recipe the URLs of the former one still answer, from the new variants, and are kept for a day."""
    async with running_api(with_media(services, recipe=2)) as api:
        photo = await ready_photo(api, await api.user())
        assert photo["urls"]["thumb"] == f"/media/r2/{SHA256}/320.jpg"
        earlier = await api.get(f"/media/r1/{SHA256}/320.jpg")
        assert (earlier.status, earlier.headers["ETag"]) == (200, f'"{SHA256[:12]}-r2-320.jpg"')
        assert earlier.headers["Cache-Control"] == "public, max-age=86400, stale-while-revalidate=86400"
