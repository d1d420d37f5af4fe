"""Uploads by a signed request: announced, stored once and as announced, posted, and forgotten."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from server.media.local_uploads import content_digest
from storage import ids
from storage.blobs.keys import incoming_key, original_key
from storage.stores.photos import uploads
from tests.support.api import Api
from tests.support.api_user import ApiUser, Response
from tests.support.objects import has
from tests.support.pictures import encoded, halves, photograph
from workers.jobs.media.uploads import expire_uploads

pytestmark = pytest.mark.engines

PHOTO = photograph().read_bytes()


def announcement(data: bytes, **changes: Any) -> dict[str, Any]:
    """Return the announcement of a file."""
    fields = {"content_type": "image/jpeg", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**fields, **changes}


async def announce(user: ApiUser, data: bytes = PHOTO) -> dict[str, Any]:
    """Announce a file and return the upload."""
    upload: dict[str, Any] = (await user.call("POST", "/uploads", json=announcement(data))).expect(201)
    return upload


async def send(api: Api, upload: dict[str, Any], data: bytes = PHOTO, **headers: str) -> Response:
    """Send the signed request; it needs no credentials."""
    url = re.sub(r"^https?://[^/]+", api.url, upload["url"])
    merged = {**upload["headers"], **headers}
    return await api.visitor.call(upload["method"], url, data=data, headers=merged)


async def post(user: ApiUser, upload: dict[str, Any], **fields: Any) -> Response:
    """Post the photo of an upload."""
    return await user.call("POST", "/photos", json={"upload_id": upload["upload_id"], **fields})


async def test_a_photo_is_uploaded_and_posted(api: Api) -> None:
    """The signed request stores the bytes, and the photo has them and its texts."""
    ann = await api.user()
    upload = await announce(ann)
    (await send(api, upload)).expect(201)
    photo = (await post(ann, upload, caption="Straight", tags=["sky"])).expect(201)
    assert (photo["state"], photo["caption"], photo["tags"]) == ("processing", "Straight", ["sky"])
    assert (photo["width"], photo["height"]) == (640, 427)
    stored = await api.services.blobs.open(original_key(hashlib.sha256(PHOTO).hexdigest()))
    assert b"".join([chunk async for chunk in stored.chunks()]) == PHOTO


async def test_an_upload_becomes_one_photo(api: Api) -> None:
    """A second use is a conflict; with the same idempotency key it returns the first photo."""
    ann = await api.user()
    upload = await announce(ann)
    (await send(api, upload)).expect(201)
    body, headers = {"upload_id": upload["upload_id"]}, {"Idempotency-Key": "k1"}
    first = (await ann.call("POST", "/photos", json=body, headers=headers)).expect(201)
    assert (await ann.call("POST", "/photos", json=body, headers=headers)).expect(201) == first
    assert (await post(ann, upload)).expect(409)["code"] == "upload_used"


async def test_the_url_works_once(api: Api) -> None:
    """A second request to the same URL is a conflict, and the bytes stay."""
    ann = await api.user()
    upload = await announce(ann)
    (await send(api, upload)).expect(201)
    assert (await send(api, upload)).expect(409)["code"] == "upload_received"
    (await post(ann, upload)).expect(201)


async def test_every_change_of_the_request_is_refused(api: Api) -> None:
    """Another type, length, hash, expiry, signature or upload is a 403, other bytes a 422, and nothing is stored."""
    ann = await api.user()
    upload, other = await announce(ann), await announce(ann, encoded(halves()))
    digest = content_digest(hashlib.sha256(PHOTO + b"x").hexdigest())
    url, expiry = upload["url"], re.search(r"exp=(\d+)", upload["url"])
    assert expiry is not None
    for tampered, data, headers in (
        (upload, PHOTO, {"Content-Type": "image/png"}),
        (upload, PHOTO, {"Content-Digest": digest}),
        (upload, PHOTO, {"Content-Digest": "sha-256=:AAAA:"}),
        (upload, PHOTO + b"x", {}),
        ({**upload, "url": url.replace(expiry[1], str(int(expiry[1]) + 60))}, PHOTO, {}),
        ({**upload, "url": url[:-1] + ("A" if url[-1] != "A" else "B")}, PHOTO, {}),
        ({**upload, "url": url.partition("?")[0]}, PHOTO, {}),
        ({**upload, "url": url.replace(upload["upload_id"], other["upload_id"])}, PHOTO, {}),
    ):
        assert (await send(api, tampered, data, **headers)).expect(403)["code"] == "signature_invalid"
    changed = PHOTO[:-1] + bytes([PHOTO[-1] ^ 1])
    assert (await send(api, upload, changed)).expect(422)["code"] == "checksum_mismatch"
    assert not await has(api.services.blobs, incoming_key(upload["upload_id"]))
    assert (await post(ann, upload)).expect(409)["code"] == "upload_incomplete"


async def test_an_expired_url_is_refused(api: Api) -> None:
    """After its time the request is refused, however it is signed."""
    ann = await api.user()
    upload = await announce(ann)
    presigner = api.services.local_presigner
    assert presigner is not None
    late = presigner.presign_put(
        incoming_key(upload["upload_id"]),
        content_type="image/jpeg",
        size=len(PHOTO),
        sha256=hashlib.sha256(PHOTO).hexdigest(),
        expires_in=-1,
    )
    (await send(api, {**upload, "url": late.url})).expect(403)


async def test_an_upload_belongs_to_its_user(api: Api) -> None:
    """Another user cannot post it, and does not learn that it exists."""
    ann, bob = await api.user(), await api.user()
    upload = await announce(ann)
    (await send(api, upload)).expect(201)
    assert (await post(bob, upload)).expect(404)["code"] == "upload_not_found"
    assert (await post(bob, {"upload_id": ids.encode(1)})).expect(404)["code"] == "upload_not_found"
    (await post(ann, upload)).expect(201)


async def test_a_duplicate_is_the_viewers_own_ready_photo(api: Api) -> None:
    """A hash discloses nothing about other users' photos, nor about photos that are not ready or deleted."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(PHOTO)
    assert "upload_id" in await announce(ann)
    await api.finish(photo)
    assert "upload_id" in await announce(bob)
    found = (await ann.call("POST", "/uploads", json=announcement(PHOTO))).expect(200)
    assert found == {"duplicate_of": photo["id"]}
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert "upload_id" in await announce(ann)


async def test_a_claimed_hash_gives_no_access(api: Api) -> None:
    """A user who knows the hash of another's photo, and sends other bytes, gets neither a photo nor the original."""
    ann, mallory = await api.user(), await api.user()
    await api.finish(await ann.upload(PHOTO))
    upload = await announce(mallory)
    changed = PHOTO[:-1] + bytes([PHOTO[-1] ^ 1])
    (await send(api, upload, changed)).expect(422)
    (await post(mallory, upload)).expect(409)
    digest = hashlib.sha256(PHOTO).hexdigest()
    (await mallory.call("GET", f"/media/{digest}/original.jpg")).expect(404)


async def test_a_bad_announcement(api: Api) -> None:
    """Each wrong field is named."""
    ann = await api.user()
    for changes, field in (
        ({"content_type": "text/html"}, "content_type"),
        ({"bytes": 0}, "bytes"),
        ({"bytes": "many"}, "bytes"),
        ({"sha256": "A" * 64}, "sha256"),
        ({"sha256": "ab"}, "sha256"),
        ({"more": 1}, "more"),
    ):
        problem = (await ann.call("POST", "/uploads", json=announcement(PHOTO, **changes))).expect(422)
        assert [error["field"] for error in problem["errors"]] == [field]


async def test_a_file_that_is_too_large_is_refused_before_it_is_sent(api: Api) -> None:
    """The limit is the same as for an upload in one request."""
    ann = await api.user()
    limit = api.services.settings.upload.max_bytes
    problem = (await ann.call("POST", "/uploads", json=announcement(PHOTO, bytes=limit + 1))).expect(413)
    assert problem["code"] == "photo_too_large"


async def test_bytes_that_are_no_image_are_refused_when_posted(api: Api) -> None:
    """The declared type is not believed."""
    ann, data = await api.user(), b"<svg/>"
    upload = await announce(ann, data)
    (await send(api, upload, data)).expect(201)
    assert (await post(ann, upload)).expect(415)["code"] == "unsupported_media_type"


async def test_open_uploads_are_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who only announces is stopped."""
    monkeypatch.setattr(uploads, "MAX_OPEN", 2)
    ann, bob = await api.user(), await api.user()
    await announce(ann)
    await announce(ann)
    response = await ann.call("POST", "/uploads", json=announcement(PHOTO))
    assert response.expect(409)["code"] == "too_many_uploads"
    await announce(bob)


async def test_an_expired_upload_leaves_nothing(api: Api) -> None:
    """The bytes and the row are deleted after the time of the upload, a photo of it stays."""
    ann = await api.user()
    used, unused = await announce(ann), await announce(ann)
    for upload in (used, unused):
        (await send(api, upload)).expect(201)
    (await post(ann, used)).expect(201)
    assert await expire_uploads(api.services.db, api.services.blobs) == 0
    await api.services.db.fetch("UPDATE uploads SET expires_at = now() - interval '1 second'")
    (await post(ann, unused)).expect(404)
    assert await expire_uploads(api.services.db, api.services.blobs) == 2
    assert [blob async for blob in api.services.blobs.list("incoming/")] == []
    assert await has(api.services.blobs, original_key(hashlib.sha256(PHOTO).hexdigest()))
