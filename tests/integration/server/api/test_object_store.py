"""The API with images in an object store: serving them, and going on while the store does not answer."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
import zipfile
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from storage.blobs.observed import CIRCUIT, NoMetrics, ObservedBlobs
from storage.blobs.s3 import S3Blobs
from storage.blobs.s3_address import S3Keys
from storage.circuit import Circuit
from tests.engines.object_store import ObjectStore
from tests.integration.server.api.test_exports import make
from tests.integration.server.api.test_imports import imported
from tests.support.api import Api, InspectableServices, running_api, with_blobs
from tests.support.faulty_store import faulty_store, stall
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

DATA = photograph().read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
KEYS = S3Keys(access_key="id", secret_key="secret")


@pytest.fixture
async def bucket_api(services: InspectableServices, seaweed: ObjectStore) -> AsyncIterator[Api]:
    """An API whose images are in a bucket."""
    address = seaweed.create_bucket()
    settings = {"url": seaweed.url(address.bucket), "access_key": seaweed.access_key, "secret_key": seaweed.secret_key}
    async with running_api(with_blobs(services, S3Blobs(address, seaweed.keys), **settings)) as api:
        yield api


async def test_images_of_a_bucket(bucket_api: Api) -> None:
    """A variant has its tag, type and ranges; the original is returned to its owner as it was sent, and to no other."""
    owner, other = await bucket_api.user(), await bucket_api.user()
    photo = await owner.upload(DATA)
    await bucket_api.finish(photo)
    url = f"/media/r1/{SHA256}/320.jpg"
    response = await bucket_api.get(url)
    tag = f'"{SHA256[:12]}-r1-320.jpg"'
    assert (response.status, response.body) == (200, b"variant")
    assert (response.headers["ETag"], response.headers["Content-Type"]) == (tag, "image/jpeg")
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (await bucket_api.get(url, headers={"If-None-Match": tag})).status == 304
    original = bucket_api.url + f"/media/{SHA256}/original.jpg"
    assert (await owner.call("GET", original)).body == DATA
    part = await owner.call("GET", original, headers={"Range": "bytes=-100"})
    assert (part.status, part.body) == (206, DATA[-100:])
    assert part.headers["Content-Range"] == f"bytes {len(DATA) - 100}-{len(DATA) - 1}/{len(DATA)}"
    assert (await other.call("GET", original)).status == 404


async def test_an_export_and_an_import_by_a_bucket(bucket_api: Api) -> None:
    """The archive is written in parts and read by ranges, also from the parts of a resumable upload."""
    ann, ben = await bucket_api.user(), await bucket_api.user()
    await ann.upload(DATA, "by a bucket")
    made = await make(bucket_api, ann)
    archive = (await bucket_api.get(made["url"])).body
    assert len(archive) == made["bytes"]
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert DATA in [opened.read(name) for name in opened.namelist() if name.startswith("photos/")]
    done = await imported(bucket_api, ben, archive, pieces=5)
    assert (done["state"], done["imported"], done["failed"]) == ("done", 1, 0)
    (photo,) = (await ben.call("GET", f"/users/{ben.id}/photos")).expect(200)["items"]
    assert photo["caption"] == "by a bucket"


async def test_a_direct_upload(bucket_api: Api) -> None:
    """The bytes go to the store without passing the API, which takes them over once they are complete."""
    ann = await bucket_api.user()
    announced = {"content_type": "image/jpeg", "bytes": len(DATA), "sha256": SHA256}
    upload = (await ann.call("POST", "/uploads", json=announced)).expect(201)
    assert not upload["url"].startswith(bucket_api.url)
    body = {"upload_id": upload["upload_id"]}
    assert (await ann.call("POST", "/photos", json=body)).status == 409
    headers = upload["headers"]
    async with bucket_api.session.put(URL(upload["url"], encoded=True), data=DATA[:-1] + b"x", headers=headers) as put:
        assert put.status == 400
    async with bucket_api.session.put(URL(upload["url"], encoded=True), data=DATA, headers=headers) as put:
        assert put.status == 200
    photo = (await ann.call("POST", "/photos", json=body)).expect(201)
    assert photo["author"]["username"] == ann.name
    assert (await ann.call("GET", bucket_api.url + f"/media/{SHA256}/original.jpg")).body == DATA


async def test_a_stalled_store_delays_no_other_request(services: InspectableServices) -> None:
    """Images and uploads get 503 within 7 seconds; all other requests are answered meanwhile, as fast as ever.

    More requests wait for the store than the database pool has connections.
    """
    async with faulty_store(stall) as store:
        blobs = ObservedBlobs(S3Blobs(store.address, KEYS), NoMetrics(), Circuit(policy=CIRCUIT))
        async with running_api(with_blobs(services, blobs)) as api:
            user = await api.user()
            async with running_api(services) as working:
                photo = await (await working.user()).upload(DATA)
                await working.finish(photo)

            async def timed(path: str) -> tuple[int, float]:
                started = time.perf_counter()
                return (await api.get(path)).status, time.perf_counter() - started

            images = [asyncio.create_task(timed(f"/media/r1/{SHA256}/320.jpg")) for _ in range(12)]
            upload = asyncio.create_task(user.try_upload(photograph("temple").read_bytes()))
            others: list[float] = []
            while not all(task.done() for task in images):
                started = time.perf_counter()
                (await user.call("GET", "/feed")).expect(200)
                others.append(time.perf_counter() - started)
                await asyncio.sleep(0.05)
            outcomes = await asyncio.gather(*images)
            assert {status for status, _ in outcomes} == {503}
            assert max(seconds for _, seconds in outcomes) < 7.0
            assert (await upload).status == 503
            assert len(others) > 20
            assert max(others) < 5.0, "not as long as the store"
            # By now the store is not asked any more, and the answer is immediate.
            status, seconds = await timed(f"/media/r1/{SHA256}/320.jpg")
            assert status == 503
            assert seconds < 5.0
