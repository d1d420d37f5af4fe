"""Preferences of notifications over the API, and what they do to the inbox and open pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import ids
from storage.models import User
from storage.notification_channels import KINDS, Audience, Channel
from storage.notifications import NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import users
from tests.support.api import Api
from tests.support.api_user import ApiUser
from tests.support.community import follow, new_users, ready_photo
from tests.support.deliveries import choose
from tests.support.inboxes import inbox_of
from tests.support.stage import Stage, kinds, start_clean

pytestmark = pytest.mark.engines
PREFERENCES, QUIET, DIGEST = (f"/notifications/{name}" for name in ("preferences", "quiet-hours", "digest"))
NIGHT = {"zone": "Europe/Berlin", "from": "22:00", "until": "07:00", "days": ["monday", "friday"]}


async def of_kind(user: ApiUser, kind: str) -> dict[str, str]:
    """Return the audiences of a kind."""
    page = (await user.call("GET", PREFERENCES)).expect(200)
    (found,) = (item for item in page["items"] if item["kind"] == kind)
    return {channel: found[channel]["audience"] for channel in ("inbox", "live", "push", "email")}


async def stored(api: Api, table: str) -> int:
    """Return the number of rows of a table."""
    number: int = await api.services.db.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of this file
    return number


async def test_preferences(api: Api) -> None:
    """All kinds are there; a choice replaces all earlier ones, and only what deviates is stored."""
    ann = await api.user()
    page = (await ann.call("GET", PREFERENCES)).expect(200)
    assert [item["kind"] for item in page["items"]] == [kind.value for kind in KINDS]
    assert page["items"][0]["push"] == {"audience": "everyone", "choices": ["everyone", "following", "nobody"]}
    like = {"kind": "like", "push": "following", "inbox": "everyone"}
    changed = (await ann.call("PUT", PREFERENCES, json={"items": [like]})).expect(200)
    assert await of_kind(ann, "like") == {
        "inbox": "everyone",
        "live": "everyone",
        "push": "following",
        "email": "nobody",
    }
    assert changed == (await ann.call("GET", PREFERENCES)).expect(200)
    assert await stored(api, "notification_preferences") == 1
    await ann.call("PUT", PREFERENCES, json={"items": [{"kind": "comment", "email": "nobody"}]})
    assert (await of_kind(ann, "like"))["push"] == "everyone"
    # What was read can be sent back as it is shown.
    items = [
        {"kind": item["kind"], **{name: item[name]["audience"] for name in ("inbox", "live", "push", "email")}}
        for item in changed["items"]
    ]
    assert (await ann.call("PUT", PREFERENCES, json={"items": items})).expect(200) == changed
    await ann.call("PUT", PREFERENCES, json={"items": []})
    assert await stored(api, "notification_preferences") == 0


async def test_preferences_that_cannot_be_chosen(api: Api) -> None:
    """A choice that there is not is refused with what can be chosen."""
    ann = await api.user()
    for item, message in (
        ({"kind": "moderation", "inbox": "nobody"}, "inbox of moderation can only be everyone"),
        ({"kind": "security", "push": "following"}, "push of security can only be everyone or nobody"),
        ({"kind": "decision"}, "use moderation"),
        ({"kind": "lik"}, "should be"),
        ({"kind": "like", "push": "friends"}, "should be"),
        ({"kind": "like", "sms": "nobody"}, "There is no field of this name"),
    ):
        refused = (await ann.call("PUT", PREFERENCES, json={"items": [item]})).expect(422)
        assert message in str(refused["errors"]), refused
    twice = {"items": [{"kind": "like"}, {"kind": "like"}]}
    assert "Name each kind once" in str((await ann.call("PUT", PREFERENCES, json=twice)).expect(422)["errors"])


async def test_quiet_hours_and_digest(api: Api) -> None:
    """Quiet hours are set and turned off; the zone is kept for the digest, which is due once."""
    ann = await api.user()
    none: dict[str, Any] = {"zone": "UTC", "from": None, "until": None, "days": []}
    assert (await ann.call("GET", QUIET)).expect(200) == none
    assert (await ann.call("PUT", QUIET, json=NIGHT)).expect(200) == NIGHT
    assert (await ann.call("GET", QUIET)).expect(200) == NIGHT
    weekly = (await ann.call("PUT", DIGEST, json={"frequency": "weekly"})).expect(200)
    assert weekly == {"frequency": "weekly", "zone": "Europe/Berlin"}
    await ann.call("PUT", DIGEST, json={"frequency": "daily", "zone": "Asia/Tokyo"})
    (row,) = await api.services.db.fetch(
        "SELECT due_at AT TIME ZONE 'Asia/Tokyo' AS wall FROM deliveries WHERE state = 'waiting'"
    )
    assert (row["wall"].hour, row["wall"].minute) == (8, 0)
    (await ann.call("DELETE", QUIET)).expect(204)
    assert (await ann.call("GET", QUIET)).expect(200) == {**none, "zone": "Asia/Tokyo"}
    (await ann.call("PUT", DIGEST, json={"frequency": "off"})).expect(200)
    assert await stored(api, "deliveries") == 0


async def test_quiet_hours_that_are_none(api: Api) -> None:
    """A wrong zone, time or day is refused with the field and what to send."""
    ann = await api.user()
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"zone": "Mars/Phobos"}, "zone", "There is no time zone 'Mars/Phobos'. Use a name such as Europe/Berlin"),
        ({"zone": "../etc/passwd"}, "zone", "There is no time zone"),
        ({"from": "24:00"}, "from", "Use hours and minutes, such as 22:00."),
        ({"until": "7:00"}, "until", "Use hours and minutes, such as 22:00."),
        ({"until": "22:00"}, "", "Quiet hours end at another time than they begin"),
        ({"days": []}, "days", "should not be empty"),
        ({"days": ["someday"]}, "days", "should be"),
    ]
    for changed, field, message in wrong:
        refused = (await ann.call("PUT", QUIET, json={**NIGHT, **changed})).expect(422)
        (error,) = refused["errors"]
        assert message in error["message"]
        assert error["field"].startswith(field)


@pytest.fixture
async def stage(database: Database, redis: Any) -> AsyncIterator[Stage]:
    """The workers, whose events the test handles."""
    stage = Stage(database, redis)
    await stage.open()
    yield stage
    await stage.close()


async def account(api: Api, user: ApiUser) -> User:
    """Return the account of a user."""
    return await users.get(api.services.db, ids.decode(user.id))


async def test_muted_photos_and_threads(api: Api, stage: Stage) -> None:
    """About a muted photo, and in a muted thread, nothing is recorded; other activities are, and so after unmuting."""
    ann, bob, cal = [await api.user() for _ in range(3)]
    owner = await account(api, ann)
    photo, other = [ids.encode((await ready_photo(api.services.db, owner)).id) for _ in range(2)]

    async def comment(author: ApiUser, on: str, **fields: str) -> str:
        sent = await author.call("POST", f"/photos/{on}/comments", json={"text": "Lovely", **fields})
        comment_id: str = sent.expect(201)["id"]
        return comment_id

    async def recorded() -> list[str]:
        await stage.pump()
        found = [entry.kind.value for entry in await inbox_of(api.services.db, owner)]
        await api.services.db.fetch("UPDATE notifications SET deleted_at = now(), read_at = now() RETURNING id")
        return sorted(found)

    (await ann.call("PUT", f"/photos/{photo}/mute")).expect(204)
    (await ann.call("PUT", f"/photos/{photo}/mute")).expect(204)
    await bob.call("PUT", f"/photos/{photo}/like")
    await comment(bob, photo)
    await bob.call("PUT", f"/photos/{other}/like")
    assert await recorded() == ["like"]
    (await ann.call("DELETE", f"/photos/{photo}/mute")).expect(204)
    top = await comment(ann, other)
    reply = await comment(bob, other, reply_to=top)
    assert await recorded() == ["reply"]
    (await ann.call("PUT", f"/comments/{reply}/mute")).expect(204)
    await comment(cal, other, reply_to=top)
    await bob.call("PUT", f"/comments/{top}/like")
    thread = await comment(bob, other)
    assert await recorded() == ["comment"]
    muted = (await ann.call("GET", "/notifications/mutes")).expect(200)["items"]
    assert [(item["photo_id"], item["comment_id"], item["comment"]) for item in muted] == [
        (other, top, {"id": top, "excerpt": "Lovely"})
    ]
    (await ann.call("DELETE", f"/comments/{reply}/mute")).expect(204)
    await comment(cal, other, reply_to=thread)
    await comment(cal, other, reply_to=top)
    assert await recorded() == ["comment", "reply"]
    assert (await ann.call("GET", "/notifications/mutes")).expect(200)["items"] == []


async def test_what_cannot_be_seen_cannot_be_muted(api: Api) -> None:
    """A photo or comment that is not there, or that the viewer may not see, is not found."""
    ann, bob = [await api.user() for _ in range(2)]
    photo = await ready_photo(api.services.db, await account(api, ann))
    commented = await ann.call("POST", f"/photos/{ids.encode(photo.id)}/comments", json={"text": "Lovely"})
    await ann.call("PUT", f"/users/{bob.id}/block")
    missing = ids.encode(photo.id + 1024)
    for path in (
        f"/photos/{ids.encode(photo.id)}",
        f"/comments/{commented.expect(201)['id']}",
        f"/photos/{missing}",
        f"/comments/{missing}",
    ):
        (await bob.call("PUT", f"{path}/mute")).expect(404)
        (await bob.call("DELETE", f"{path}/mute")).expect(204)


async def test_open_pages_show_what_the_preference_says(stage: Stage) -> None:
    """Without the live channel an entry is recorded and not published; without the inbox it is not even recorded."""
    ann, bob, cal = await new_users(stage.database, "ann", "bob", "cal")
    photo = await ready_photo(stage.database, ann)
    await follow(stage.database, ann, bob)
    await start_clean(stage, ann)
    like = NotificationKind.LIKE
    await choose(stage.database, ann, {(like, Channel.LIVE): Audience.FOLLOWING})
    await stage.like(cal, photo)
    await stage.pump()
    assert await stage.deliveries(ann) == []
    await stage.unlike(cal, photo)
    await stage.like(bob, photo)
    await stage.pump()
    assert kinds(await stage.deliveries(ann))[-1:] == ["notification"]
    await choose(stage.database, ann, {(like, Channel.INBOX): Audience.NOBODY})
    other = await ready_photo(stage.database, ann)
    await stage.like(bob, other)
    await stage.pump()
    assert [entry.photo_id for entry in await inbox_of(stage.database, ann)] == [photo.id]
