"""Videos over HTTP: three ways of upload, what is refused at once, and how they are served."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from typing import Any

import pytest

from storage.blobs.keys import variant_key
from storage.models import Video
from tests.support.api import Api, InspectableServices, running_api
from tests.support.api_user import ApiUser, Response
from tests.support.boxes import changed
from tests.support.pictures import photograph
from tests.support.videos import video

pytestmark = pytest.mark.engines

DATA = video()
SHA256 = hashlib.sha256(DATA).hexdigest()
PLAYED = bytes(range(256)) * 40
VIDEO = Video(width=64, height=48, duration=1.002, bytes=len(PLAYED))
TUS = {"Tus-Resumable": "1.0.0"}
TOPICS = "SELECT topic FROM outbox WHERE topic LIKE 'video%' AND queue <> 'webhooks' ORDER BY id"


async def announce(user: ApiUser, data: bytes, **fields: Any) -> Response:
    """Announce a video for a signed upload."""
    announced = {"content_type": "video/mp4", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return await user.call("POST", "/uploads", json={**announced, **fields})


async def stored(api: Api, user: ApiUser, data: bytes = DATA) -> str:
    """Return the id of a signed upload with these bytes."""
    upload = (await announce(user, data)).expect(201)
    url = re.sub(r"^https?://[^/]+", api.url, upload["url"])
    (await user.call("PUT", url, data=data, headers=upload["headers"])).expect(201)
    return str(upload["upload_id"])


async def create_tus(user: ApiUser, size: int, content_type: str = "video/mp4") -> Response:
    """Announce a resumable upload of a type."""
    metadata = f"filetype {base64.b64encode(content_type.encode()).decode()}"
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
    return await user.call("POST", "/uploads/tus", headers=headers)


async def ready(api: Api, user: ApiUser) -> dict[str, Any]:
    """Upload a video, store what is played as the worker does, and return its JSON."""
    photo = await user.upload(DATA)
    await api.finish(photo, width=64, height=48, video=VIDEO)
    await api.services.blobs.put(variant_key(SHA256, 1, "video.mp4"), PLAYED, content_type="video/mp4")
    shown: dict[str, Any] = (await user.call("GET", f"/photos/{photo['id']}")).expect(200)
    return shown


async def test_a_video_is_posted_in_three_ways(api: Api) -> None:
    """By a form, by a signed request, and by tus; each goes to the queue of videos."""
    ann = await api.user()
    photos = [await ann.upload(DATA)]
    photos.append((await ann.call("POST", "/photos", json={"upload_id": await stored(api, ann)})).expect(201))
    created = await create_tus(ann, len(DATA))
    created.expect(201)
    path = created.headers["Location"].removeprefix("/api/v1")
    part = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    (await ann.call("PATCH", path, headers=part, data=DATA)).expect(204)
    photos.append((await ann.call("POST", "/photos", json={"upload_id": path.rpartition("/")[2]})).expect(201))
    assert [(photo["state"], photo["width"], photo["height"], photo["video"]) for photo in photos] == [
        ("processing", 64, 48, None)
    ] * 3
    assert [row["topic"] for row in await api.services.db.fetch(TOPICS)] == ["video.uploaded"] * 3


async def test_a_ready_video_plays(api: Api) -> None:
    """`video` leads to the file, in the feed as well; any range of it is served, and caches keep it for a year."""
    ann = await api.user()
    photo = await ready(api, ann)
    url = f"/media/r1/{SHA256}/video.mp4"
    assert photo["video"] == {"url": url, "width": 64, "height": 48, "duration": 1.002, "bytes": len(PLAYED)}
    assert photo["urls"]["original"] == f"/media/{SHA256}/original.mp4"
    assert [shown["video"] for shown in await ann.feed()] == [photo["video"]]
    whole = await api.get(url)
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (200, PLAYED, "video/mp4")
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert whole.headers["Accept-Ranges"] == "bytes"
    for wanted, body in (("bytes=0-1", PLAYED[:2]), ("bytes=1000-", PLAYED[1000:]), ("bytes=-5", PLAYED[-5:])):
        part = await api.get(url, headers={"Range": wanted, "If-Range": whole.headers["ETag"]})
        assert (part.status, part.body) == (206, body)
    assert (await api.get(url, headers={"Range": "bytes=999999-"})).status == 416


async def test_a_picture_has_no_video(api: Api) -> None:
    """Its field is null, and its URL would be a 404, for which no worker is asked."""
    ann = await api.user()
    photo = await ann.upload(photograph())
    await api.finish(photo)
    assert (await ann.call("GET", f"/photos/{photo['id']}")).expect(200)["video"] is None
    assert [shown["video"] for shown in await ann.feed()] == [None]
    sha256 = hashlib.sha256(photograph().read_bytes()).hexdigest()
    assert (await api.get(f"/media/r1/{sha256}/video.mp4")).status == 404
    assert not await api.services.db.fetch(TOPICS)


async def test_a_private_video_is_signed(api: Api) -> None:
    """Without the signature there is none; a change of the visibility changes the URL."""
    ann = await api.user()
    (await ann.call("PATCH", "/users/me", json={"private": True})).expect(200)
    url = (await ready(api, ann))["video"]["url"]
    assert (await api.get(url, headers={"Range": "bytes=0-1"})).status == 206
    assert (await api.get(url.partition("?")[0])).status == 404


async def test_a_video_is_gone_with_its_photo(api: Api) -> None:
    """After the photo was deleted the URL is a 404."""
    ann = await api.user()
    photo = await ready(api, ann)
    (await ann.call("DELETE", f"/photos/{photo['id']}")).expect(204)
    assert (await api.get(photo["video"]["url"])).status == 404


async def test_a_lost_video_is_asked_for(api: Api) -> None:
    """By the queue of videos; until it is there the answer is a 503 that no cache keeps."""
    ann = await api.user()
    photo = await ready(api, ann)
    await api.services.blobs.delete([variant_key(SHA256, 1, "video.mp4")])
    await api.services.db.fetch("DELETE FROM outbox")
    api.services.variant_requests._timeout = 0.1
    response = await api.get(photo["video"]["url"])
    assert (response.status, response.headers["Retry-After"], response.headers["Cache-Control"]) == (
        503, "1", "no-store",
    )  # fmt: skip
    assert [row["topic"] for row in await api.services.db.fetch(TOPICS)] == ["video.wanted"]


async def test_a_video_is_a_post_of_its_own(api: Api) -> None:
    """Several items with a video among them are refused, with the item."""
    ann = await api.user()
    items = [{"upload_id": await stored(api, ann, data)} for data in (photograph().read_bytes(), DATA)]
    problem = (await ann.call("POST", "/photos", json={"items": items})).expect(422)
    assert [error["field"] for error in problem["errors"]] == ["items.1.upload_id"]
    assert "post of its own" in problem["errors"][0]["message"]
    (await ann.call("POST", "/photos", json={"items": items[1:]})).expect(201)


async def test_a_video_is_no_avatar(api: Api) -> None:
    """Profile images are pictures."""
    ann = await api.user()
    response = await ann.call("PUT", "/users/me/avatar", data={"file": io.BytesIO(DATA)})
    assert response.expect(415)["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"ffconcat version 1.0\nfile /etc/passwd\n", 415, "unsupported_media_type"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nfile:///etc/passwd\n", 415, "unsupported_media_type"),
        (DATA[:-200], 422, "video_corrupt"),
        (DATA[:32], 422, "video_corrupt"),
        (video(seconds=61, rate=2, sound=None), 413, "video_too_large"),
        (video(size=(4112, 64), seconds=0.1, sound=None), 413, "video_too_large"),
        (changed(DATA, (b"moov",), lambda body: body.replace(b"vide", b"text")), 415, "unsupported_media_type"),
    ],
    ids=["ffconcat", "HLS", "cut off", "beginning", "long", "large", "no picture"],
)
async def test_what_cannot_be_played_is_refused_at_once(api: Api, data: bytes, status: int, code: str) -> None:
    """Playlists, cut off files, too long or large ones, and files without a picture; by a form and by an upload."""
    ann = await api.user()
    assert (await ann.try_upload(data)).expect(status)["code"] == code
    body = {"upload_id": await stored(api, ann, data)}
    assert (await ann.call("POST", "/photos", json=body)).expect(status)["code"] == code
    assert not await api.services.db.fetch("SELECT 1 FROM photos")


async def test_a_video_may_be_larger_than_a_photo(services: InspectableServices) -> None:
    """Where it is announced; a photo that is announced as a video is refused when it is posted."""
    settings = dataclasses.replace(
        services.settings,
        upload=dataclasses.replace(services.settings.upload, max_bytes=15_000),
        video=dataclasses.replace(services.settings.video, max_bytes=200_000),
        import_bytes=100_000,
    )
    async with running_api(dataclasses.replace(services, settings=settings)) as api:
        ann = await api.user()
        assert "photo" in (await announce(ann, DATA, content_type="image/jpeg")).expect(413)["detail"]
        assert "0.2 MB" in (await announce(ann, bytes(200_001))).expect(413)["detail"]
        (await create_tus(ann, 200_000)).expect(201)
        assert (await create_tus(ann, 200_001)).status == (await create_tus(ann, 16_000, "image/png")).status == 413
        assert (await api.visitor.call("OPTIONS", "/uploads/tus")).headers["Tus-Max-Size"] == "200000"
        (await ann.call("POST", "/photos", json={"upload_id": await stored(api, ann)})).expect(201)
        large = {"upload_id": await stored(api, ann, photograph().read_bytes())}
        assert (await ann.call("POST", "/photos", json=large)).expect(413)["code"] == "photo_too_large"
        assert (await ann.try_upload(DATA)).status == 413


async def test_a_file_of_another_type_could_have_been_a_video(api: Api) -> None:
    """The error names videos as well, for each way of upload; a profile picture could not have been one."""
    ann, webm = await api.user(), b"\x1aE\xdf\xa3\x9fB\x86\x81\x01" + bytes(40)
    named = "or an MP4 or QuickTime video."
    assert named in (await ann.try_upload(webm)).expect(415)["detail"]
    body = {"upload_id": await stored(api, ann, webm)}
    assert named in (await ann.call("POST", "/photos", json=body)).expect(415)["detail"]
    avatar = await ann.call("PUT", "/users/me/avatar", data={"file": io.BytesIO(webm)})
    assert named not in avatar.expect(415)["detail"]


async def test_videos_are_refused_without_the_extra(services: InspectableServices) -> None:
    """By every way, with the name of what is missing."""
    video_limits = dataclasses.replace(services.settings.video, accepted=False)
    settings = dataclasses.replace(services.settings, video=video_limits, import_bytes=100_000)
    async with running_api(dataclasses.replace(services, settings=settings)) as api:
        ann = await api.user()
        for response in (await ann.try_upload(DATA), await announce(ann, DATA), await create_tus(ann, len(DATA))):
            assert "picshare[video]" in response.expect(415)["detail"]
        assert "QuickTime" not in (await ann.try_upload(b"%PDF-1.7")).expect(415)["detail"]
        disguised = (await create_tus(ann, len(DATA), "image/png")).headers["Location"].removeprefix("/api/v1")
        part = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        (await ann.call("PATCH", disguised, headers=part, data=DATA)).expect(204)
        body = {"upload_id": disguised.rpartition("/")[2]}
        assert "picshare[video]" in (await ann.call("POST", "/photos", json=body)).expect(415)["detail"]
        assert (await api.visitor.call("OPTIONS", "/uploads/tus")).headers["Tus-Max-Size"] == "25000000"
