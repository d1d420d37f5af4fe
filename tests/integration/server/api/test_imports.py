"""Imports: from an uploaded archive to photos, and what bad archives lead to."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import tracemalloc
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.composition.workers import import_settings, worker_context
from server.edge.import_responses import ImportItemResponse, ImportResponse
from storage import events, ids
from storage.errors import InvalidValueError
from storage.events import ExportRequested, ImportRequested, PhotoImported
from storage.stores.photos import photo_processing
from tests.support.api import Api, running_api, with_accounts
from tests.support.api_user import ApiUser
from tests.support.archives import POSTED, POSTS, archive, instagram, picshare, post
from tests.support.pictures import photograph
from workers.imports import archive as archives
from workers.jobs.archives.exports import ExportHandlers
from workers.jobs.archives.imports import ImportHandlers
from workers.jobs.context import open_handlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.upkeep.import_retention import ImportRetention
from workers.jobs.webhooks.webhooks import WebhookHandlers
from workers.registry import WORKERS

pytestmark = pytest.mark.engines

TUS = {"Tus-Resumable": "1.0.0"}
ZIP = {"Upload-Metadata": "filetype YXBwbGljYXRpb24vemlw"}
ROCKET, CAT, COFFEE = (photograph(name).read_bytes() for name in ("rocket", "cat", "coffee"))


async def upload(user: ApiUser, data: bytes, *, pieces: int = 1) -> str:
    """Upload bytes by tus and return the id of the upload."""
    created = await user.call("POST", "/uploads/tus", headers={**TUS, **ZIP, "Upload-Length": str(len(data))})
    assert created.status == 201, created.body
    path = created.headers["Location"].removeprefix("/api/v1")
    step = -(-len(data) // pieces)
    for start in range(0, len(data), step):
        headers = {**TUS, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        (await user.call("PATCH", path, headers=headers, data=io.BytesIO(data[start : start + step]))).expect(204)
    return path.rpartition("/")[2]


async def request(user: ApiUser, data: bytes, *, pieces: int = 1, **fields: Any) -> dict[str, Any]:
    """Request an import."""
    upload_id = await upload(user, data, pieces=pieces)
    made = (await user.call("POST", "/users/me/imports", json={"upload_id": upload_id, **fields})).expect(202)
    ImportResponse.model_validate(made)
    found: dict[str, Any] = made
    return found


def worker(api: Api, **options: Any) -> ImportHandlers:
    """Return the worker."""
    services = api.services
    return ImportHandlers(services.db, services.blobs, import_settings(services.base, services.stores), **options)


def event_of(made: Mapping[str, Any], user: ApiUser) -> ImportRequested:
    """Return the event of an import."""
    return ImportRequested(import_id=ids.decode(made["id"]), user_id=ids.decode(user.id))


async def imported(api: Api, user: ApiUser, data: bytes, *, pieces: int = 1, **fields: Any) -> dict[str, Any]:
    """Import an archive, and return the import with its results."""
    made = await request(user, data, pieces=pieces, **fields)
    await worker(api).requested(event_of(made, user))
    return await result(user, made)


async def result(user: ApiUser, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return an import with its results."""
    found = (await user.call("GET", f"/users/me/imports/{made['id']}")).expect(200)
    items = (await user.call("GET", f"/users/me/imports/{made['id']}/items?limit=100")).expect(200)["items"]
    for item in items:
        ImportItemResponse.model_validate(item)
    return {**found, "results": [(item["state"], item["reason"]) for item in items], "photos": items}


async def topics(api: Api) -> list[str]:
    """Return the topics of all events that wait."""
    return [row["topic"] for row in await api.services.db.fetch("SELECT DISTINCT topic FROM outbox ORDER BY topic")]


async def finish(api: Api) -> None:
    """Mark all photos in processing as ready, as the media worker does."""
    for row in await api.services.db.fetch("SELECT id FROM photos WHERE state = 'processing'"):
        async with api.services.db.transaction() as tx:
            assert await photo_processing.mark_ready(tx, row["id"], width=640, height=427, placeholder=None, exif=None)


async def profile(user: ApiUser, viewer: ApiUser | None = None) -> list[dict[str, Any]]:
    """Return a user's photos, as a viewer sees them."""
    found: list[dict[str, Any]] = (await (viewer or user).call("GET", f"/users/{user.id}/photos")).expect(200)["items"]
    return found


def kinds(photo: Mapping[str, Any]) -> list[str]:
    """Return what the caption of a photo leads to: names and tags."""
    return [entity["type"] for entity in photo["caption_entities"]]


async def test_an_archive_of_instagram(api: Api) -> None:
    """Texts are repaired, posts of several pictures stay together, and dates are kept; followers see the photos."""
    ann = await api.user("ann")
    files = {"media/a.jpg": ROCKET, "media/b.jpg": CAT, "media/c.jpg": COFFEE}
    posts = [
        post("media/a.jpg", text="Grüße 🚀 #hoch @bob", at=POSTED + 60),
        post("media/b.jpg", "media/c.jpg", text="zwei"),
    ]
    await api.user("bob")
    done = await imported(api, ann, instagram(posts, files))
    assert (done["state"], done["source"], done["items"], done["imported"]) == ("done", "instagram", 2, 2)
    assert done["results"] == [("imported", None)] * 2
    assert [item["name"] for item in done["photos"]] == ["media/a.jpg", "media/b.jpg"]
    await finish(api)
    first, second = await profile(ann)
    assert (first["caption"], first["taken_at"]) == ("Grüße 🚀 #hoch @bob", "2020-01-01T12:01:00.000Z")
    assert (second["caption"], [item["alt_text"] for item in second["items"]]) == ("zwei", ["", ""])
    assert (first["audience"], kinds(first)) == ("followers", ["tag"])
    assert {first["id"], second["id"]} == {item["photo_id"] for item in done["photos"]}


async def test_the_order_is_that_of_the_dates(api: Api) -> None:
    """The profile shows older photos below newer ones, whenever they were imported, also those from before 2026."""
    ann = await api.user()
    await ann.upload(ROCKET, "now")
    posts = [post("b.jpg", text="2020"), post("c.jpg", text="2019", at=POSTED - 365 * 86400)]
    await imported(api, ann, instagram(posts, {"b.jpg": CAT, "c.jpg": COFFEE}))
    last_week = int((datetime.now(UTC) - timedelta(days=7)).timestamp())
    temple = photograph("temple").read_bytes()
    await imported(api, ann, instagram([post("d.jpg", text="last week", at=last_week)], {"d.jpg": temple}))
    assert [photo["caption"] for photo in await profile(ann)] == ["now", "last week", "2020", "2019"]


async def test_nobody_is_told(api: Api) -> None:
    """No event of a new photo is emitted, so there is no fan-out, notification or webhook, except for moderators."""
    ann, bob = await api.user("ann"), await api.user("bob")
    await bob.follow(ann)
    assert (await bob.call("GET", "/feed")).expect(200)["items"] == []
    await api.services.db.fetch("DELETE FROM outbox")
    await imported(api, ann, picshare([described("p.jpg", caption="@bob look")], {"p.jpg": ROCKET}))
    assert await topics(api) == ["import.requested", "photo.deferred"]
    await finish(api)
    assert await topics(api) == ["import.requested", "photo.deferred", "photo.imported"]
    (photo,) = await profile(ann)
    assert kinds(photo) == ["mention"]
    spec = next(spec for spec in WORKERS if spec.name == "fanout")
    event = PhotoImported(photo_id=ids.decode(photo["id"]), author_id=ids.decode(ann.id))
    assert [photo["id"] for photo in (await ann.call("GET", "/feed")).expect(200)["items"]] == [photo["id"]]
    async with open_handlers(spec, worker_context(spec.name, api.services.base, api.services.stores)) as handlers:
        await handlers["photo.imported"](event)
    assert (await bob.call("GET", "/feed")).expect(200)["items"] == []
    assert [each["id"] for each in await profile(ann, bob)] == [photo["id"]]
    assert (await bob.call("GET", "/notifications/counters")).expect(200)["unread"] == 0


async def test_an_export_of_one_s_own_comes_back(api: Api) -> None:
    """Into another account, with its texts and audiences; into the same one nothing is doubled."""
    ann = await api.user("ann")
    one = await ann.upload(ROCKET, "up #sky")
    await ann.post_pictures(CAT, COFFEE, caption="two", audience="only_me")
    await finish(api)
    services = api.services
    made = (await ann.call("POST", "/users/me/exports")).expect(202)
    inbox = Inbox(services.db, services.notification_log)
    exporter = ExportHandlers(services.db, services.blobs, inbox, public_url=services.settings.public_url)
    await exporter.requested(ExportRequested(export_id=ids.decode(made["id"]), user_id=ids.decode(ann.id)))
    url = (await ann.call("GET", "/users/me/exports")).expect(200)["items"][0]["url"]
    data = (await api.get(url)).body
    again = await imported(api, ann, data, pieces=3)
    assert (again["state"], again["source"], again["skipped"]) == ("done", "picshare", 2)
    assert again["results"] == [("skipped", "You have this photo already.")] * 2
    ben = await api.user("ben")
    copied = await imported(api, ben, data, pieces=7)
    assert (copied["imported"], copied["failed"]) == (2, 0)
    two, sky = await profile(ben)
    assert (sky["caption"], sky["audience"], sky["taken_at"]) == ("up #sky", one["audience"], one["created_at"])
    assert (two["caption"], two["audience"]) == ("two", "only_me")
    assert [item["alt_text"] for item in two["items"]] == ["picture 1", "picture 2"]
    eve = await api.user("eve")
    await imported(api, eve, data, audience="only_me")
    assert {photo["audience"] for photo in await profile(eve)} == {"only_me"}


def described(name: str, **fields: Any) -> dict[str, Any]:
    """Return the description of a photo, as PicShare writes it."""
    return {
        "id": "1", "state": "ready", "caption": "", "tags": [], "location": None, "audience": "public",
        "created_at": "2026-03-01T10:00:00.000Z", "taken_at": None, "files": [{"file": name, "alt_text": ""}], **fields,
    }  # fmt: skip


async def test_an_interrupted_job_goes_on_without_doubling(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies within an item, before its commit or after it, leaves what the next one continues."""
    ann = await api.user()
    photos = [described(f"{name}.jpg", caption=name) for name in "abc"]
    made = await request(ann, picshare(photos, {"a.jpg": ROCKET, "b.jpg": CAT, "c.jpg": COFFEE}))

    class DiedError(Exception):
        pass

    settings = import_settings(api.services.base, api.services.stores)

    class Dying:
        """Posts one photo, and dies in the middle of the next or right after it."""

        def __init__(self, *, after: bool) -> None:
            self.left, self.after = 1, after

        async def accept(self, path: Any) -> Any:
            return await settings.intake.accept(path)

        async def post(self, photo: Any, record: Any) -> None:
            async def recorded(tx: Any, photo_id: int) -> None:
                await record(tx, photo_id)
                if not self.left and not self.after:
                    raise DiedError

            await settings.intake.post(photo, recorded)
            if not self.left:
                raise DiedError
            self.left -= 1

    for after, results in ((False, 1), (True, 3)):
        dying = replace(settings, intake=Dying(after=after))
        handlers = ImportHandlers(api.services.db, api.services.blobs, dying)
        with pytest.raises(DiedError):
            await handlers.requested(event_of(made, ann))
        assert len((await result(ann, made))["results"]) == results
    await worker(api).requested(event_of(made, ann))
    done = await result(ann, made)
    assert (done["state"], done["imported"], done["results"]) == ("done", 3, [("imported", None)] * 3)
    assert sorted(photo["caption"] for photo in await profile(ann)) == ["a", "b", "c"]
    # A repeated event changes nothing, and the archive is gone.
    await worker(api).requested(event_of(made, ann))
    assert await result(ann, made) == done
    assert [blob.key async for blob in api.services.blobs.list("incoming/")] == []


async def test_what_cannot_be_stored_is_a_failed_item(api: Api) -> None:
    """The import goes on; a repetition of the job would fail in the same way."""
    ann = await api.user()
    photos = [described("a.jpg", caption="a"), described("b.jpg")]
    made = await request(ann, picshare(photos, {"a.jpg": ROCKET, "b.jpg": CAT}))
    settings = import_settings(api.services.base, api.services.stores)

    class Refusing:
        """Posts all photos but one."""

        accept = settings.intake.accept

        async def post(self, photo: Any, record: Any) -> None:
            if photo.caption == "a":
                raise InvalidValueError("a text contains a NUL")
            await settings.intake.post(photo, record)

    handlers = ImportHandlers(api.services.db, api.services.blobs, replace(settings, intake=Refusing()))
    await handlers.requested(event_of(made, ann))
    done = await result(ann, made)
    assert done["state"] == "done"
    assert done["results"] == [("failed", "It has a text or a number that cannot be stored."), ("imported", None)]


async def test_two_workers_at_once_create_each_photo_once(api: Api) -> None:
    """Whatever their order, an item has one photo."""
    ann = await api.user()
    names = [f"{number}.jpg" for number in range(6)]
    pictures = [CAT + bytes([number]) for number in range(6)]
    photos = [described(name) for name in names]
    made = await request(ann, picshare(photos, dict(zip(names, pictures, strict=True))))
    event = event_of(made, ann)
    outcomes = await asyncio.gather(*(worker(api).requested(event) for _ in range(3)), return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is not None] == []
    done = await result(ann, made)
    assert (done["state"], done["imported"] + done["skipped"], len(done["results"])) == ("done", 6, 6)
    assert len(await profile(ann)) == 6


async def test_a_turn_ends_and_the_next_event_goes_on(api: Api) -> None:
    """Imports of several users take turns."""
    ann = await api.user()
    made = await request(ann, picshare([described("a.jpg"), described("b.jpg")], {"a.jpg": ROCKET, "b.jpg": CAT}))
    await api.services.db.fetch("DELETE FROM outbox")
    await worker(api, turn=-1.0).requested(event_of(made, ann))
    assert (await result(ann, made))["state"] == "running"
    assert await topics(api) == ["import.requested"]
    again = (await ann.call("POST", "/users/me/imports", json={"upload_id": await upload(ann, b"x")})).expect(409)
    assert again["code"] == "import_in_progress"
    await worker(api).requested(event_of(made, ann))
    assert (await result(ann, made))["imported"] == 2


def hostile() -> bytes:
    """Return an archive in which nearly every item is bad in a way of its own."""
    sink = io.BytesIO()
    names = [
        "good.jpg", "../../etc/passwd", "/etc/passwd", "missing.jpg", "text.jpg", "nested.zip", "link.jpg", "twice.jpg",
        "encrypted.jpg", "damaged.jpg", "lzma.jpg", "folder/", "empty.jpg", "bomb.jpg",
    ]  # fmt: skip
    photos: list[Any] = [described(name) for name in names]
    photos += [7, None, {}, {"files": []}, described("x", created_at="never"), described("good.jpg", audience="all")]
    photos += [described("good.jpg", created_at="9999-01-01T00:00:00Z"), described("hidden.jpg", state="hidden")]
    photos += [described("good.jpg", caption="\x00"), {**described("good.jpg"), "files": [{"file": "good.jpg"}] * 2}]
    photos += [described("a\0.jpg"), {**described("x"), "files": [{"file": 5}]}]
    photos += [described("good.jpg", taken_at=time) for time in ("never", "0001-01-01T00:00:00+23:59", 7)]
    with zipfile.ZipFile(sink, "w") as target:
        target.writestr("profile.json", "{}")
        target.writestr("photos.json", json.dumps(photos))
        target.writestr("good.jpg", ROCKET)
        target.writestr("../../etc/passwd", "root")
        target.writestr("text.jpg", "no image")
        target.writestr("nested.zip", archive({"a.jpg": CAT}))
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc/passwd")
        target.writestr("twice.jpg", CAT)
        with pytest.warns(UserWarning, match="Duplicate name"):
            target.writestr("twice.jpg", COFFEE)
        target.writestr("encrypted.jpg", CAT)
        target.writestr("damaged.jpg", CAT)
        target.writestr("lzma.jpg", CAT, compress_type=zipfile.ZIP_LZMA)
        target.writestr("folder/", "")
        target.writestr("empty.jpg", "")
        target.writestr("bomb.jpg", b"\0" * 60_000_000, compress_type=zipfile.ZIP_DEFLATED)
        target.writestr("hidden.jpg", COFFEE)
    data = bytearray(sink.getvalue())
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        damaged = source.getinfo("damaged.jpg")
    data[damaged.header_offset + 200] ^= 0xFF
    data[data.rfind(b"encrypted.jpg") - 46 + 8] |= 1
    return bytes(data)


async def test_bad_items_have_a_result_each_and_the_others_are_imported(api: Api) -> None:
    """Names lead nowhere, bombs end at the limit, and each failure says why."""
    ann, data = await api.user(), hostile()
    tracemalloc.start()
    done = await imported(api, ann, data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done["state"] == "done"
    assert done["results"] == [
        ("imported", None),
        ("failed", done["results"][1][1]),
        ("failed", "/etc/passwd is not in the archive."),
        ("failed", "missing.jpg is not in the archive."),
        *[("failed", done["results"][1][1])] * 2,
        ("failed", "link.jpg is not a file."),
        ("failed", "twice.jpg is in the archive more than once."),
        ("failed", "encrypted.jpg is encrypted. Make an archive without a password."),
        ("failed", "damaged.jpg is damaged in the archive."),
        ("failed", "lzma.jpg is compressed in a way that is not supported."),
        ("failed", "folder/ is not a file."),
        ("failed", done["results"][12][1]),
        ("failed", done["results"][13][1]),
        *[("failed", "Its description cannot be read.")] * 6,
        ("failed", "Its description cannot be read."),
        ("failed", "It was not shown where it comes from."),
        ("failed", "Its description cannot be read."),
        ("failed", "It has the same picture twice."),
        *[("failed", "Its description cannot be read.")] * 5,
    ]
    assert done["results"][1][1].startswith("The file is not an image of an accepted type.")
    assert "MB" in done["results"][13][1]
    assert (done["imported"], done["failed"]) == (1, 28)
    assert peak < 40_000_000
    failures = (await ann.call("GET", f"/users/me/imports/{done['id']}/items?state=failed&limit=20")).expect(200)
    rest = (
        await ann.call("GET", f"/users/me/imports/{done['id']}/items?state=failed&limit=20&cursor={failures['next']}")
    ).expect(200)
    assert [item["position"] for item in [*failures["items"], *rest["items"]]] == list(range(2, 30))
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"no archive at all", "This is not a whole ZIP file."),
        (picshare([described("a.jpg")], {"a.jpg": ROCKET})[:-30], "This is not a whole ZIP file."),
        (picshare([described("a.jpg")], {"a.jpg": ROCKET})[:2000], "This is not a whole ZIP file."),
        (archive({"a.txt": "x"}), "This archive has no photos that can be imported."),
        (archive({"profile.json": "{}", "photos.json": "{"}), "photos.json in the archive is not valid JSON"),
        (archive({"profile.json": "{}", "photos.json": "{}"}), "photos.json in the archive is not a list of photos."),
        (archive({POSTS: b"\xff\xfe"}), f"{POSTS} in the archive is not valid JSON"),
        (
            archive({"profile.json": "{}", "photos.json": b"0" * 40_000_000}, method=zipfile.ZIP_DEFLATED),
            "The archive cannot be read: photos.json has more than 33.6 MB.",
        ),
    ],
    ids=["text", "no end", "cut", "others", "bad JSON", "no list", "no UTF-8", "bomb"],
)
async def test_an_archive_that_cannot_be_read(api: Api, data: bytes, error: str) -> None:
    """The import fails with the reason, the upload is deleted, and another one can be requested."""
    ann = await api.user()
    done = await imported(api, ann, data)
    assert (done["state"], done["results"]) == ("failed", [])
    assert done["error"].startswith(error)
    assert [blob.key async for blob in api.services.blobs.list("incoming/")] == []
    assert (await imported(api, ann, picshare([], {})))["state"] == "done"


async def test_too_many_files_and_too_many_photos(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of 100,000 files is not read; both limits are in the message."""
    ann = await api.user()
    files = {f"{number}": "" for number in range(100_000)}
    done = await imported(api, ann, archive(files))
    assert done["error"].startswith("The archive has 100,000 files. It may have up to 50,000")
    monkeypatch.setattr(archives, "MAX_DIRECTORY", 100)
    assert "divide it" in (await imported(api, ann, picshare([], {"a": b"x"})))["error"]
    monkeypatch.undo()
    async with running_api(with_accounts(api.services, import_photos=1)) as limited:
        ben = await limited.user()
        done = await imported(limited, ben, picshare([described("a"), described("b")], {}))
        assert done["error"] == "The archive has 2 photos. An import may have up to 1."


async def test_photos_that_cannot_be_decoded_are_failed_items(api: Api) -> None:
    """Their user gets no notification of a thousand rejected photos, but the reason in the list."""
    ann = await api.user()
    done = await imported(api, ann, picshare([described("a.jpg")], {"a.jpg": ROCKET}))
    photo_id = ids.decode(done["photos"][0]["photo_id"])
    await api.services.db.fetch("DELETE FROM outbox")
    for _ in range(2):
        async with api.services.db.transaction() as tx:
            await photo_processing.mark_rejected(tx, photo_id, reason="cut off")
    done = await result(ann, done)
    assert (done["imported"], done["failed"], done["results"]) == (0, 1, [("failed", "cut off")])
    assert await topics(api) == []


async def test_imports_belong_to_their_users(api: Api) -> None:
    """Uploads and imports of others are unknown; an upload is used once, and only when it is whole."""
    ann, bob = await api.user(), await api.user()
    made = await request(ann, picshare([], {}))
    for path in ("", "/items"):
        assert (await bob.call("GET", f"/users/me/imports/{made['id']}{path}")).json["code"] == "import_not_found"
    assert [each["id"] for each in (await ann.call("GET", "/users/me/imports")).expect(200)["items"]] == [made["id"]]
    assert (await bob.call("GET", "/users/me/imports")).expect(200)["items"] == []
    upload_id = await upload(ann, b"zip")
    body = {"upload_id": upload_id}
    assert (await bob.call("POST", "/users/me/imports", json=body)).json["code"] == "upload_not_found"
    await worker(api).requested(event_of(made, ann))
    (await ann.call("POST", "/users/me/imports", json=body)).expect(202)
    await api.services.db.fetch("UPDATE imports SET state = 'done', finished_at = now()")
    assert (await ann.call("POST", "/users/me/imports", json=body)).json["code"] == "upload_used"
    headers = {**TUS, **ZIP, "Upload-Length": "10"}
    created = await ann.call("POST", "/uploads/tus", headers=headers)
    half = {"upload_id": created.headers["Location"].rpartition("/")[2]}
    assert (await ann.call("POST", "/users/me/imports", json=half)).json["code"] == "upload_incomplete"
    refused = (await ann.call("POST", "/users/me/imports", json={**half, "audience": "all"})).expect(422)
    assert refused["errors"][0]["field"] == "audience"


async def test_an_archive_may_be_larger_than_a_photo(api: Api) -> None:
    """Its limit is a setting of its own, and holds for its type alone."""
    async with running_api(with_accounts(api.services, import_bytes=1_000_000_000)) as limited:
        ann = await limited.user()
        for size, metadata, status in ((1_000_000_000, ZIP, 201), (1_000_000_001, ZIP, 413), (1_000_000_000, {}, 413)):
            headers = {**TUS, **metadata, "Upload-Length": str(size)}
            assert (await ann.call("POST", "/uploads/tus", headers=headers)).status == status


async def test_the_archive_is_kept_until_the_import_has_ended(api: Api) -> None:
    """A used upload expires after an hour, that of an import later; lost imports fail, and rows go after a month."""
    ann = await api.user()
    made = await request(ann, picshare([described("a.jpg")], {"a.jpg": ROCKET}))
    left = await api.services.db.fetchval("SELECT expires_at - now() FROM uploads")
    assert left > timedelta(days=7)
    retention = ImportRetention(api.services.db, api.services.blobs)
    assert await retention.fail_lost() == 0
    await api.services.db.fetch("UPDATE imports SET active_at = active_at - interval '3 days'")
    assert await retention.fail_lost() == 1
    done = await result(ann, made)
    assert done["state"] == "failed"
    assert [blob.key async for blob in api.services.blobs.list("incoming/")] == []
    done = await imported(api, ann, picshare([described("a.jpg")], {"a.jpg": ROCKET}))
    assert await retention.forget() == 0
    await api.services.db.fetch("UPDATE imports SET finished_at = finished_at - interval '31 days'")
    assert await retention.forget() == 3
    assert (await ann.call("GET", "/users/me/imports")).expect(200)["items"] == []


async def test_a_hidden_account_s_import_waits(api: Api) -> None:
    """It stops with the deletion of the account, and goes on when that is undone."""
    ann = await api.user("ann")
    made = await request(ann, picshare([described("a.jpg")], {"a.jpg": ROCKET}))
    (await ann.call("DELETE", "/users/me")).expect(202)
    await worker(api).requested(event_of(made, ann))
    assert await api.services.db.fetchval("SELECT state FROM imports") == "queued"
    await api.services.db.fetch("DELETE FROM outbox")
    body = {"username": "ann", "password": "correct horse battery"}
    back = (await api.visitor.call("POST", "/users/me/restore", json=body)).expect(201)
    assert "import.requested" in await topics(api)
    ann.token = back["access_token"]
    await worker(api).requested(event_of(made, ann))
    assert (await result(ann, made))["imported"] == 1


async def test_moderators_get_webhooks_of_imported_photos(api: Api) -> None:
    """As ready photos; the author's own endpoints get none."""
    ann = await api.user("ann")
    done = await imported(api, ann, picshare([described("a.jpg")], {"a.jpg": ROCKET}))
    await finish(api)
    photo_id = ids.decode(done["photos"][0]["photo_id"])
    spec = next(spec for spec in WORKERS if spec.name == "webhooks")
    assert {"photo.imported"} <= set(spec.topics)
    stored: list[tuple[str, int]] = []

    class Recording(WebhookHandlers):
        async def _store_for_moderation(self, kind: str, photo_id: int, author_id: int) -> None:
            stored.append((kind, photo_id))

    handlers = Recording(api.services.db, Inbox(api.services.db, api.services.notification_log), notify=lambda: None)
    await handlers.handlers()["photo.imported"](events.PhotoImported(photo_id=photo_id, author_id=ids.decode(ann.id)))
    assert stored == [("photo.ready", photo_id)]
