"""Resumable uploads by tus 1.0, step by step; unmodified clients are in `tests/sdk`."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from storage import ids
from storage.blobs.keys import original_key
from storage.stores.photos import uploads
from tests.support.api import Api, running_api
from tests.support.api_user import ApiUser, Response
from tests.support.eventually import eventually
from tests.support.pictures import photograph
from workers.jobs.media.uploads import remove_unclaimed

pytestmark = pytest.mark.engines

PHOTO = photograph().read_bytes()
TUS = {"Tus-Resumable": "1.0.0"}
PART = {"Content-Type": "application/offset+octet-stream"}


def checksum(data: bytes, algorithm: str = "sha256") -> dict[str, str]:
    """Return the header with the checksum of a part."""
    digest = hashlib.new(algorithm, data).digest()
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(digest).decode()}"}


async def create(user: ApiUser, size: int = len(PHOTO), **options: Any) -> str:
    """Announce an upload and return its path below the API."""
    headers = {**TUS, "Upload-Length": str(size), **options.pop("headers", {})}
    response = await user.call("POST", "/uploads/tus", headers=headers, **options)
    response.expect(201)
    return response.headers["Location"].removeprefix("/api/v1")


async def patch(user: ApiUser, path: str, offset: int, data: bytes, **headers: str) -> Response:
    """Append bytes at an offset."""
    merged = {**TUS, **PART, "Upload-Offset": str(offset), **headers}
    return await user.call("PATCH", path, headers=merged, data=data)


async def offset_of(user: ApiUser, path: str) -> int:
    """Return how much has arrived."""
    response = await user.call("HEAD", path, headers=TUS)
    assert response.status == 200
    return int(response.headers["Upload-Offset"])


async def post(user: ApiUser, path: str) -> Response:
    """Post the photo of an upload."""
    return await user.call("POST", "/photos", json={"upload_id": path.rpartition("/")[2]})


async def test_what_is_supported(api: Api) -> None:
    """A client finds out what it can use without signing in."""
    response = await api.visitor.call("OPTIONS", "/uploads/tus")
    assert response.status == 204
    assert response.headers["Tus-Version"] == response.headers["Tus-Resumable"] == "1.0.0"
    assert set(response.headers["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "checksum", "expiration", "termination",
    }  # fmt: skip
    assert response.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert int(response.headers["Tus-Max-Size"]) == api.services.settings.import_bytes


@pytest.mark.parametrize("cuts", [[], [1], [1000, 1001, len(PHOTO) - 1]])
async def test_a_photo_arrives_in_parts(api: Api, cuts: list[int]) -> None:
    """However the bytes are divided, the photo's original has exactly these."""
    ann = await api.user()
    path = await create(ann)
    bounds = [0, *cuts, len(PHOTO)]
    for start, end in pairwise(bounds):
        assert await offset_of(ann, path) == start
        response = await patch(ann, path, start, PHOTO[start:end], **checksum(PHOTO[start:end]))
        assert (response.status, response.headers["Upload-Offset"]) == (204, str(end))
    photo = (await post(ann, path)).expect(201)
    assert photo["state"] == "processing"
    stored = await api.services.blobs.open(original_key(hashlib.sha256(PHOTO).hexdigest()))
    assert b"".join([chunk async for chunk in stored.chunks()]) == PHOTO
    assert (await post(ann, path)).expect(409)["code"] == "upload_used"
    assert (await patch(ann, path, len(PHOTO), b"")).expect(409)["code"] == "offset_conflict"


async def test_another_process_goes_on(api: Api) -> None:
    """A part that one process has received is known to the other, which finishes the upload."""
    ann = await api.user()
    path = await create(ann)
    (await patch(ann, path, 0, PHOTO[:5000])).expect(204)
    async with running_api(api.services) as second:
        there = ApiUser(second.session, second.url, ann.name)
        there.token = ann.token
        assert await offset_of(there, path) == 5000
        (await patch(there, path, 5000, PHOTO[5000:])).expect(204)
        (await post(there, path)).expect(201)


async def test_the_state_of_an_upload(api: Api) -> None:
    """A HEAD has the offset, length, metadata and expiry, and is not cached."""
    ann = await api.user()
    metadata = f"filename {base64.b64encode(b'sky.jpg').decode()},is_public"
    path = await create(ann, headers={"Upload-Metadata": metadata})
    response = await ann.call("HEAD", path, headers=TUS)
    assert response.headers["Upload-Length"] == str(len(PHOTO))
    assert response.headers["Upload-Metadata"] == metadata
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Upload-Expires"].endswith("GMT")


async def test_creation_with_upload(api: Api) -> None:
    """The first bytes may come with the announcement."""
    ann = await api.user()
    path = await create(ann, headers=PART, data=PHOTO[:700])
    assert await offset_of(ann, path) == 700


async def test_a_lying_offset_is_a_conflict(api: Api) -> None:
    """Bytes at another offset than the upload's are refused, and the right offset is named."""
    ann = await api.user()
    path = await create(ann)
    (await patch(ann, path, 0, PHOTO[:100])).expect(204)
    for wrong in (0, 99, 101):
        response = await patch(ann, path, wrong, PHOTO[100:200])
        assert response.expect(409)["code"] == "offset_conflict"
        assert response.headers["Upload-Offset"] == "100"
    assert await offset_of(ann, path) == 100


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_a_lying_checksum_keeps_nothing(api: Api, algorithm: str) -> None:
    """A part with another checksum is refused with 460, and can be sent again."""
    ann = await api.user()
    path = await create(ann)
    assert (await patch(ann, path, 0, PHOTO, **checksum(b"other", algorithm))).expect(460)[
        "code"
    ] == "checksum_mismatch"
    assert await offset_of(ann, path) == 0
    (await patch(ann, path, 0, PHOTO, **checksum(PHOTO, algorithm))).expect(204)


async def test_a_lying_hash_of_the_whole(api: Api) -> None:
    """An upload whose bytes differ from the announced SHA-256 does not become a photo."""
    ann = await api.user()
    announced = base64.b64encode(hashlib.sha256(b"other").hexdigest().encode()).decode()
    path = await create(ann, headers={"Upload-Metadata": f"sha256 {announced}"})
    (await patch(ann, path, 0, PHOTO)).expect(204)
    assert (await post(ann, path)).expect(409)["code"] == "checksum_mismatch"


async def test_more_bytes_than_announced_are_refused(api: Api) -> None:
    """Too long a part is refused whether or not it has a length, and keeps nothing."""

    async def endless() -> Any:
        for _ in range(50):
            yield b"x" * 1000

    ann = await api.user()
    path = await create(ann, 1000)
    assert (await patch(ann, path, 0, b"x" * 1001)).expect(413)["code"] == "upload_too_long"
    response = await ann.call("PATCH", path, headers={**TUS, **PART, "Upload-Offset": "0"}, data=endless())
    assert response.expect(413)["code"] == "upload_too_long"
    assert await offset_of(ann, path) == 0


async def test_one_request_appends_at_a_time(api: Api) -> None:
    """While a request appends, another one is refused with 423; after it the upload goes on."""
    ann = await api.user()
    path = await create(ann)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        yield PHOTO[:100]
        begun.set()
        await finish.wait()
        yield PHOTO[100:200]

    first = asyncio.create_task(ann.call("PATCH", path, headers={**TUS, **PART, "Upload-Offset": "0"}, data=slow()))
    await begun.wait()
    upload_id = ids.decode(path.rpartition("/")[2])
    await eventually(lambda: _is_leased(api, upload_id))
    assert (await patch(ann, path, 0, PHOTO)).expect(423)["code"] == "upload_locked"
    finish.set()
    (await first).expect(204)
    assert await offset_of(ann, path) == 200


async def _is_leased(api: Api, upload_id: int) -> bool:
    sql = "SELECT lease_until > now() FROM uploads WHERE id = $1"
    return bool(await api.services.db.fetchval(sql, upload_id))


async def test_a_lease_that_was_taken_over_records_nothing(api: Api) -> None:
    """A request that was slower than its lease cannot append any more once another one has."""
    ann = await api.user()
    path = await create(ann)
    begun, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        yield b"y" * 100
        begun.set()
        await finish.wait()

    first = asyncio.create_task(ann.call("PATCH", path, headers={**TUS, **PART, "Upload-Offset": "0"}, data=slow()))
    await begun.wait()
    await eventually(lambda: _is_leased(api, ids.decode(path.rpartition("/")[2])))
    await api.services.db.fetch("UPDATE uploads SET lease_until = now() - interval '1 second'")
    (await patch(ann, path, 0, PHOTO[:500])).expect(204)
    finish.set()
    assert (await first).expect(423)["code"] == "upload_locked"
    assert await offset_of(ann, path) == 500
    (await patch(ann, path, 500, PHOTO[500:])).expect(204)
    (await post(ann, path)).expect(201)


async def test_a_lease_lasts_while_a_slow_store_writes(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a client that asks again would send bytes that are being stored."""
    monkeypatch.setattr("server.api.upload_lease.RENEW_EVERY", 0.02)
    begun, finish, store = asyncio.Event(), asyncio.Event(), type(api.services.blobs)
    put_file = store.put_file

    async def slow(*arguments: Any, **options: Any) -> None:
        begun.set()
        await finish.wait()
        await put_file(*arguments, **options)

    monkeypatch.setattr(store, "put_file", slow)
    ann = await api.user()
    path = await create(ann)
    first = asyncio.create_task(patch(ann, path, 0, PHOTO))
    await begun.wait()
    for _ in range(2):
        await api.services.db.fetch("UPDATE uploads SET lease_until = now() - interval '1 second'")
        await eventually(lambda: _is_leased(api, ids.decode(path.rpartition("/")[2])))
    assert (await patch(ann, path, 0, PHOTO)).status == 423
    finish.set()
    (await first).expect(204)
    assert await offset_of(ann, path) == len(PHOTO)


async def test_a_cut_connection_keeps_what_arrived(api: Api) -> None:
    """The bytes before a cut are kept, and the upload goes on from there."""
    ann = await api.user()
    path = await create(ann)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"PATCH /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ann.token}\r\nTus-Resumable: 1.0.0\r\n"
    head += f"Upload-Offset: 0\r\nContent-Type: {PART['Content-Type']}\r\nContent-Length: {len(PHOTO)}\r\n\r\n"
    writer.write(head.encode() + PHOTO[:30_000])
    await writer.drain()
    await eventually(lambda: _is_leased(api, ids.decode(path.rpartition("/")[2])))
    writer.close()
    kept = await eventually(lambda: api.services.db.fetchval("SELECT received FROM uploads WHERE lease IS NULL"))
    assert kept == await offset_of(ann, path)
    assert 0 < kept <= 30_000
    del reader
    (await patch(ann, path, kept, PHOTO[kept:])).expect(204)
    (await post(ann, path)).expect(201)
    stored = await api.services.blobs.open(original_key(hashlib.sha256(PHOTO).hexdigest()))
    assert b"".join([chunk async for chunk in stored.chunks()]) == PHOTO


async def test_a_missing_version_is_refused(api: Api) -> None:
    """A request without the version gets 412 with the one that is supported, and the header on every error."""
    ann = await api.user()
    path = await create(ann)
    for method, where in (("POST", "/uploads/tus"), ("PATCH", path), ("DELETE", path), ("HEAD", path)):
        response = await ann.call(method, where, headers={"Upload-Length": "1"})
        assert (response.status, response.headers["Tus-Version"]) == (412, "1.0.0")
        assert response.headers["Tus-Resumable"] == "1.0.0"


async def test_bad_announcements(api: Api) -> None:
    """Each is refused with a sentence."""
    ann = await api.user()
    for headers, status in (
        ({}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "9" * 16}, 400),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Length": "99999999999"}, 413),
        ({"Upload-Length": "1", "Upload-Metadata": "name ???"}, 400),
        ({"Upload-Length": "1", "Upload-Metadata": "sha256 YWI="}, 400),
        ({"Upload-Length": "1", "Upload-Metadata": "a " + "YWJj" * 2000}, 400),
    ):
        response = await ann.call("POST", "/uploads/tus", headers={**TUS, **headers})
        assert response.expect(status)["detail"]


async def test_bad_parts(api: Api) -> None:
    """Another type, a missing offset and an unknown checksum are refused."""
    ann = await api.user()
    path = await create(ann)
    (await patch(ann, path, 0, b"x", **{"Content-Type": "image/jpeg"})).expect(415)
    (await ann.call("PATCH", path, headers={**TUS, **PART}, data=b"x")).expect(400)
    (await patch(ann, path, 0, b"x", **{"Upload-Checksum": "md5 AAAA"})).expect(400)
    (await patch(ann, path, 0, b"x", **{"Upload-Checksum": "sha1 ?"})).expect(400)
    (await patch(ann, path, 0, b"x", **{"Content-Encoding": "gzip"})).expect(415)


async def test_an_upload_of_another_user_does_not_exist(api: Api) -> None:
    """Another user can neither see, nor change, nor end, nor post it."""
    ann, bob = await api.user(), await api.user()
    path = await create(ann)
    assert (await bob.call("HEAD", path, headers=TUS)).status == 404
    (await patch(bob, path, 0, PHOTO)).expect(404)
    (await bob.call("DELETE", path, headers=TUS)).expect(404)
    (await post(bob, path)).expect(404)
    assert (await api.visitor.call("HEAD", path, headers=TUS)).status == 401
    assert await offset_of(ann, path) == 0


async def test_an_upload_is_ended(api: Api) -> None:
    """A DELETE removes the bytes and the upload; also by an overridden method."""
    ann = await api.user()
    for method, headers in (("DELETE", {}), ("POST", {"X-HTTP-Method-Override": "DELETE"})):
        path = await create(ann)
        override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
        (await ann.call("POST", path, headers={**TUS, **PART, **override}, data=PHOTO[:10])).expect(204)
        (await ann.call(method, path, headers={**TUS, **headers})).expect(204)
        assert (await ann.call("HEAD", path, headers=TUS)).status == 404
    assert [blob async for blob in api.services.blobs.list("incoming/")] == []


async def test_an_incomplete_upload_is_not_posted(api: Api) -> None:
    """The error says how much has arrived."""
    ann = await api.user()
    path = await create(ann)
    (await patch(ann, path, 0, PHOTO[:1234])).expect(204)
    problem = (await post(ann, path)).expect(409)
    assert problem["code"] == "upload_incomplete"
    assert "1,234" in problem["detail"]


@pytest.mark.parametrize("cut", [len(PHOTO), 1234], ids=["the whole", "a part"])
async def test_an_upload_that_the_store_has_lost_begins_again(api: Api, cut: int) -> None:
    """It does not exist any more, so no client goes on with it: not the one that posts it, nor one that asks for it."""
    ann = await api.user()
    path = await create(ann)
    (await patch(ann, path, 0, PHOTO[:cut])).expect(204)
    await api.services.blobs.delete([blob.key async for blob in api.services.blobs.list("incoming/")])
    if cut < len(PHOTO):
        (await patch(ann, path, cut, PHOTO[cut:])).expect(204)
    with capture_logs() as logs:
        assert (await post(ann, path)).expect(404)["code"] == "upload_not_found"
    assert [log["upload_id"] for log in logs if log["event"] == "upload_lost"] == [path.rpartition("/")[2]]
    assert (await ann.call("HEAD", path, headers=TUS)).status == 404
    assert [blob async for blob in api.services.blobs.list("incoming/")] == []
    again = await create(ann)
    (await patch(ann, again, 0, PHOTO)).expect(204)
    (await post(ann, again)).expect(201)


async def test_parts_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload in too many requests is stopped."""
    monkeypatch.setattr("server.api.tus.MAX_PARTS", 2)
    ann = await api.user()
    path = await create(ann)
    for offset in (0, 1):
        (await patch(ann, path, offset, b"x")).expect(204)
    refusal = (await patch(ann, path, 2, b"x", **{"Accept-Language": "de"})).expect(409)
    assert refusal["code"] == "too_many_parts"
    # Users read it, so it is in their language.
    assert refusal["detail"] == "Der Upload wurde zu oft unterbrochen. Beginne ihn von vorn."


async def test_unclaimed_bytes_are_removed(api: Api) -> None:
    """Old objects whose upload has no row, or is no upload, are deleted; those of others and new ones are not."""
    ann = await api.user()
    kept, lost = await create(ann), await create(ann)
    for path in (kept, lost):
        (await patch(ann, path, 0, PHOTO[:10])).expect(204)
    await uploads.delete(api.services.db, ids.decode(lost.rpartition("/")[2]))
    await api.services.blobs.put("incoming/nothing/whole", b"x", content_type="image/png")
    assert await remove_unclaimed(api.services.db, api.services.blobs) == 0
    assert await remove_unclaimed(api.services.db, _Aged(api.services.blobs)) == 2  # type: ignore[arg-type]
    assert [blob.key.split("/")[1] async for blob in api.services.blobs.list("incoming/")] == [kept.rpartition("/")[2]]
    assert await offset_of(ann, kept) == 10


class _Aged:
    """A blob store whose objects are two days older."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs

    async def list(self, prefix: str) -> Any:
        """Iterate over the objects."""
        async for info in self._blobs.list(prefix):
            yield dataclasses.replace(info, modified=info.modified - timedelta(days=2))

    async def delete(self, keys: Any) -> None:
        """Delete objects."""
        await self._blobs.delete(keys)
