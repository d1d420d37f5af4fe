"""Archives of accounts: what they contain, and what is left out."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.actions.reports import ReportActions
from storage import ids
from storage.blobs.keys import original_key
from storage.devices import Device
from storage.ids import encode
from storage.models import LanguageChoice, LocationMetadata, User
from storage.postgres.database import Database
from storage.reports import CaseAction, Category, DecisionSource, Report, SubjectKind
from storage.stores.accounts import account_fields
from storage.stores.archives import imports
from storage.stores.comments import comment_deletion, comment_likes, comments
from storage.stores.credentials import api_tokens, oauth_clients, passkeys, second_factors, sessions
from storage.stores.credentials.api_tokens import NewToken
from storage.stores.credentials.oauth_clients import ApplicationFields
from storage.stores.media import contents, quarantine
from storage.stores.moderation import cases, decisions
from storage.stores.photos import likes, photo_deletion, photo_exif, uploads
from storage.stores.photos.uploads import UploadWay
from storage.stores.saved import collection_items, photo_collections
from storage.stores.social import blocks, close_friends, list_members, lists, tag_follows
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import EndpointScope
from tests.support.community import block, follow, new_user, new_users, processing_photo, ready_photo, ready_post
from tests.support.exports import URL, Exporter, archive_key, json_of

pytestmark = pytest.mark.engines


def _rows(archive: zipfile.ZipFile, name: str) -> set[tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(archive.read(name).decode(), newline=""))
    return {(row["relation"], row["user_id"], row["username"]) for row in rows}


async def test_the_photos_of_every_state_and_their_originals(exporter: Exporter) -> None:
    """Deleted ones and those of others are left out."""
    ada, ben = await new_users(exporter.db, "ada", "ben")
    first = await exporter.photo(ada, b"first", caption="Hills & <b>sun</b>", tags=("hills",), location="Bern")
    gone = await exporter.photo(ada, b"gone")
    await exporter.photo(ben, b"of ben")
    post = await ready_post(exporter.db, ada, "left", "right")
    waiting = await processing_photo(exporter.db, ada, content_type="video/mp4", caption="soon")
    for sha256 in (*(item.sha256 for item in post.items), waiting.sha256):
        await exporter.stage.blobs.put(original_key(sha256), sha256.encode(), content_type="image/jpeg")
    async with exporter.db.transaction() as tx:
        await photo_exif.store(tx, first.id, {"Make": "Kamera"}, location=LocationMetadata.OFF)
        await photo_deletion.delete(tx, gone.id, author_id=ada.id)
    archive = await exporter.made(ada)
    names = {name for name in archive.namelist() if name.startswith("photos/")}
    one, two, three = encode(first.id), encode(post.id), encode(waiting.id)
    assert names == {f"photos/{one}.jpg", f"photos/{two}.jpg", f"photos/{two}_2.jpg", f"photos/{three}.mp4"}
    assert archive.read(f"photos/{one}.jpg") == b"first"
    assert archive.read(f"photos/{two}_2.jpg") == post.items[1].sha256.encode()
    assert archive.getinfo(f"photos/{one}.jpg").compress_type == zipfile.ZIP_STORED
    listed = json_of(archive, "photos.json")
    assert [(each["id"], each["state"], each["caption"]) for each in listed] == [
        (three, "processing", "soon"),
        (two, "ready", ""),
        (one, "ready", "Hills & <b>sun</b>"),
    ]
    assert [(each["file"], each["alt_text"], each["sha256"]) for each in listed[1]["files"]] == [
        (f"photos/{two}.jpg", "left", post.items[0].sha256),
        (f"photos/{two}_2.jpg", "right", post.items[1].sha256),
    ]
    assert [each["exif"]["Make"] for each in listed[1]["files"]] == ["Camera 0", "Camera 1"]
    assert [each["exif"] for each in listed[2]["files"]] == [{"Make": "Kamera"}]
    assert (listed[2]["tags"], listed[2]["location"]) == (["hills"], "Bern")
    assert "missing.txt" not in archive.namelist()


async def test_what_the_user_did_and_chose(exporter: Exporter) -> None:
    """Comments, likes, relations, lists and collections are those of the database, and only the user's."""
    ada, ben, eve = await new_users(exporter.db, "ada", "ben", "eve")
    photo, own = await exporter.photo(ben, b"ben's"), await exporter.photo(ada, b"ada's")
    for follower, followee in ((ada, ben), (ben, ada), (eve, ada)):
        await follow(exporter.db, follower, followee)
    await block(exporter.db, ada, eve)
    async with exporter.db.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ada.id, text='fine, "really"\n🙂')
        other, _ = await comments.add(tx, photo_id=photo.id, author_id=ben.id, text="not ada's")
        await likes.add(tx, photo_id=photo.id, user_id=ada.id)
        await likes.add(tx, photo_id=own.id, user_id=ben.id)
        await comment_likes.add(tx, comment_id=other.id, user_id=ada.id)
        kept = await lists.create(tx, owner_id=ada.id, title="Friends")
        await list_members.add(tx, kept.id, ben.id, owner_id=ada.id)
        await close_friends.add(tx, ada.id, ben.id)
        await tag_follows.follow(tx, ada.id, "hills")
        collection = await photo_collections.create(tx, owner_id=ada.id, title="Best", public=True)
        await collection_items.add(tx, collection.id, photo.id, owner_id=ada.id)
        saved = await photo_collections.saved_id(tx, ada.id)
        await collection_items.add(tx, saved, own.id, owner_id=ada.id)
    await _report(exporter.db, ada, ben)
    case = (await _report(exporter.db, ben, ada)).case_id
    async with exporter.db.transaction() as tx:
        await decisions.add(
            tx,
            await cases.lock(tx, case),
            source=DecisionSource.AUTOMATIC,
            decided_by=None,
            action=CaseAction.LIMIT,
            rule=Category.SPAM,
            reason="Spam.",
        )
    archive = await exporter.made(ada)
    assert [(each["id"], each["text"]) for each in json_of(archive, "comments.json")] == [
        (encode(comment.id), 'fine, "really"\n🙂')
    ]
    liked = json_of(archive, "likes.json")
    assert [each.get("photo_id") or each["comment_id"] for each in liked] == [encode(photo.id), encode(other.id)]
    assert _rows(archive, "follows.csv") == {
        ("following", encode(ben.id), "ben"),
        ("follower", encode(ben.id), "ben"),
        ("close_friend", encode(ben.id), "ben"),
    }
    assert _rows(archive, "blocks.csv") == {("block", encode(eve.id), "eve")}
    assert [(each["title"], each["accounts"]) for each in json_of(archive, "lists.json")] == [
        ("Friends", [encode(ben.id)])
    ]
    assert {(each["title"], *each["photos"]) for each in json_of(archive, "collections.json")} == {
        ("Best", encode(photo.id)),
        ("", encode(own.id)),
    }
    assert [(each["subject_id"], each["text"], each["answered_at"]) for each in json_of(archive, "reports.json")] == [
        (encode(ben.id), "rude", None)
    ]
    assert [(each["action"], each["reason"]) for each in json_of(archive, "decisions.json")] == [("limit", "Spam.")]
    profile = json_of(archive, "profile.json")
    assert (profile["username"], profile["email"], profile["followed_tags"]) == ("ada", "ada@example.org", ["hills"])
    assert json_of(archive, "notifications.json") == []


async def test_what_others_decided_about_the_user_is_left_out(exporter: Exporter) -> None:
    """Neither who blocks or mutes the user, nor whose close friend the user is, nor deleted comments."""
    ada, ben, cat = await new_users(exporter.db, "ada", "ben", "cat")
    photo = await exporter.photo(cat)
    await block(exporter.db, ben, ada)
    async with exporter.db.transaction() as tx:
        await blocks.mute(tx, cat.id, ada.id)
        await close_friends.add(tx, cat.id, ada.id)
        comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ada.id, text="withdrawn")
        await comment_deletion.delete(tx, comment.id, user_id=ada.id)
    archive = await exporter.made(ada)
    assert _rows(archive, "blocks.csv") == _rows(archive, "follows.csv") == set()
    assert json_of(archive, "comments.json") == []
    assert b"withdrawn" not in b"".join(archive.read(name) for name in archive.namelist())


async def _report(db: Database, reporter: User, subject: User) -> Report:
    actions = ReportActions(db)
    filed = await actions.add(reporter.id, SubjectKind.USER, subject.id, category=Category.SPAM, text="rude")
    return filed.report


async def test_pages_are_joined(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of several pages is there once, also of likes of one moment."""
    monkeypatch.setattr("storage.stores.archives.export_contents.PAGE", 2)
    ada, *others = await new_users(exporter.db, "ada", *(f"user{number}" for number in range(5)))
    photos = [await exporter.photo(ada, str(number).encode(), caption=str(number)) for number in range(5)]
    for other in others:
        await follow(exporter.db, ada, other)
    async with exporter.db.transaction() as tx:
        for photo in photos:
            await likes.add(tx, photo_id=photo.id, user_id=ada.id)
            await comments.add(tx, photo_id=photo.id, author_id=ada.id, text="mine")
    archive = await exporter.made(ada)
    expected = sorted(encode(photo.id) for photo in photos)
    assert sorted(each["id"] for each in json_of(archive, "photos.json")) == expected
    assert sorted(each["photo_id"] for each in json_of(archive, "likes.json")) == expected
    assert sorted(each["photo_id"] for each in json_of(archive, "comments.json")) == expected
    assert len(_rows(archive, "follows.csv")) == len(others)
    outbox = json_of(archive, "outbox.json")
    assert outbox["totalItems"] == len(outbox["orderedItems"]) == len(photos)


async def test_the_page_escapes_what_users_write(exporter: Exporter) -> None:
    """A script in a name, a caption or an alternative text is shown, and not run."""
    attack = "\"><script>alert('1')</script>"
    ada = await new_user(exporter.db, "ada")
    async with exporter.db.transaction() as tx:
        await account_fields.update(tx, ada.id, display_name=attack, bio=attack)
    photo = await exporter.photo(ada, caption=attack, alt_text=attack, location=attack)
    page = (await exporter.made(ada)).read("index.html").decode()
    assert "<script" not in page
    assert page.count("&quot;&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;") == 6
    assert f'<img src="photos/{encode(photo.id)}.jpg" alt="&quot;&gt;' in page


async def test_the_offline_page_in_the_language_of_the_account(exporter: Exporter) -> None:
    """The page has its own texts, dates and numbers in the language that the user has chosen."""
    ada = await new_user(exporter.db, "ada")
    async with exporter.db.transaction() as tx:
        await account_fields.update(tx, ada.id, language=LanguageChoice.DE)
    await exporter.photo(ada, caption="Hügel")
    page = (await exporter.made(ada)).read("index.html").decode()
    assert '<html lang="de" dir="ltr">' in page
    assert "<title>Ada bei PicShare</title>" in page
    assert " · 0 Likes · 0 Kommentare" in page


async def test_the_activity_streams(exporter: Exporter) -> None:
    """The outbox has the photos that are shown, addressed as their audience says."""
    ada = await new_user(exporter.db, "ada")
    photo = await exporter.photo(ada, b"1", caption="<i>hello</i>", tags=("hills",), alt_text="a hill")
    await processing_photo(exporter.db, ada)
    archive = await exporter.made(ada)
    actor, outbox = json_of(archive, "actor.json"), json_of(archive, "outbox.json")
    assert (actor["type"], actor["preferredUsername"], actor["outbox"]) == ("Person", "ada", "outbox.json")
    (create,) = outbox["orderedItems"]
    note = create["object"]
    assert (outbox["type"], create["type"], note["type"]) == ("OrderedCollection", "Create", "Note")
    assert create["actor"] == note["attributedTo"] == actor["id"] == f"{URL}/u/ada"
    assert note["to"] == ["https://www.w3.org/ns/activitystreams#Public"]
    assert note["content"] == "<p>&lt;i&gt;hello&lt;/i&gt;</p>"
    assert [(each["url"], each["name"]) for each in note["attachment"]] == [
        (f"photos/{encode(photo.id)}.jpg", "a hill")
    ]
    assert [each["name"] for each in note["tag"]] == ["#hills"]


async def test_a_missing_original_is_named(exporter: Exporter) -> None:
    """The export ends, and has the others."""
    ada = await new_user(exporter.db, "ada")
    lost, kept = await ready_photo(exporter.db, ada), await exporter.photo(ada, b"kept")
    archive = await exporter.made(ada)
    name = f"photos/{encode(lost.id)}.jpg"
    assert archive.read("missing.txt").decode() == f"{name}\n"
    assert name not in archive.namelist()
    assert archive.read(f"photos/{encode(kept.id)}.jpg") == b"kept"
    assert f"{name} is missing." in archive.read("index.html").decode()


async def test_an_original_in_quarantine_is_not_exported(exporter: Exporter) -> None:
    """It is named as missing."""
    ada = await new_user(exporter.db, "ada")
    photo = await exporter.photo(ada, b"not to be shown")
    lease = await contents.acquire(exporter.db, sha256=photo.sha256, size=1, content_type="image/jpeg")
    assert lease is not None
    async with exporter.db.transaction() as tx:
        await quarantine.add(tx, photo.sha256)
    archive = await exporter.made(ada)
    assert archive.read("missing.txt").decode() == f"photos/{encode(photo.id)}.jpg\n"
    assert f"photos/{encode(photo.id)}.jpg" not in archive.namelist()


async def test_other_programs_read_the_archive(exporter: Exporter, tmp_path: Path) -> None:
    """Info-ZIP finds no fault in it."""
    program = shutil.which("unzip")
    if program is None:
        pytest.skip("unzip is not installed")
    ada = await new_user(exporter.db, "ada")
    await exporter.photo(ada)
    event = await exporter.request(ada)
    await exporter.handle(event)
    blob = await exporter.stage.blobs.open(archive_key(event))
    path = tmp_path / "export.zip"
    path.write_bytes(b"".join([chunk async for chunk in blob.chunks()]))
    tested = subprocess.run([program, "-t", str(path)], capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert tested.returncode == 0, tested.stdout


async def test_webhooks_without_their_secrets(exporter: Exporter) -> None:
    """The archive has the user's own endpoints and imports, and no secret."""
    ann, ben = await new_users(exporter.db, "ann", "ben")
    async with exporter.db.transaction() as tx:
        for owner in (ann, ben):
            await webhook_endpoints.create(
                tx,
                owner_id=owner.id,
                url=f"https://{owner.username}.example/hook",
                description="mine",
                types=["photo.ready"],
                scope=EndpointScope.OWN,
                ordered=False,
                secret="whsec_very_secret",
            )
        upload = await uploads.create(tx, user_id=ann.id, way=UploadWay.TUS, size=7, ttl=timedelta(hours=1))
        await imports.create(tx, ann.id, upload, audience=None)
    archive = await exporter.made(ann)
    (webhook,) = json_of(archive, "webhooks.json")
    assert (webhook["url"], webhook["types"], webhook["state"]) == (
        "https://ann.example/hook",
        ["photo.ready"],
        "unverified",
    )
    (made,) = json_of(archive, "imports.json")
    assert (made["state"], made["imported"]) == ("queued", 0)
    assert not any(b"very_secret" in archive.read(name) for name in archive.namelist())


async def test_the_security_of_the_account(exporter: Exporter) -> None:
    """Sessions, second factor, passkeys and tokens are in it, and nothing with which one could sign in."""
    ada = await new_user(exporter.db, "ada")
    device = Device(user_agent="Firefox", network="203.0.113.0/24")
    expires_at = datetime.now(UTC) + timedelta(days=1)
    async with exporter.db.transaction() as tx:
        await sessions.open(tx, ada.id, token_sha256=b"digest", expires_at=expires_at, device=device)
        await second_factors.begin(tx, ada.id, b"secret")
        await second_factors.confirm(tx, ada.id)
        await passkeys.add(
            tx, ada.id, credential_id=b"id", public_key=b"key", sign_count=0, transports=[], name="Phone"
        )
        await api_tokens.open_session(tx, ada.id, NewToken(sha256=b"token", scopes=["read"], name="Backup"))
        fields = ApplicationFields(name="Frames", website="", redirect_uris=["app:/x"], scopes=["read"])
        application = await oauth_clients.add(tx, ada.id, fields, secret_sha256=b"x", shard_=ids.shard_of(ada.id))
        token = NewToken(sha256=b"another", scopes=["read"], client_id=application.id)
        await api_tokens.open_session(tx, ada.id, token)
    found = json_of(await exporter.made(ada), "security.json")
    assert [(each["user_agent"], each["network"]) for each in found["sessions"]] == [("Firefox", "203.0.113.0/24")]
    assert found["second_factor_since"] is not None
    assert [sorted(each) for each in found["passkeys"]] == [["created_at", "last_used_at", "name"]]
    assert [(each["name"], each["scopes"]) for each in found["access_tokens"]] == [("Backup", ["read"])]
    assert [each["name"] for each in found["connected_applications"]] == ["Frames"]
    assert [each["redirect_uris"] for each in found["registered_applications"]] == [["app:/x"]]
    lists = ["access_tokens", "connected_applications", "passkeys", "registered_applications"]
    assert sorted(found) == [*lists, "second_factor_since", "sessions"]
