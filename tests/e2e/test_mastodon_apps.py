"""Unmodified clients of Mastodon against one `picshare run`: Mastodon.py and toot, from registration to live events."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from mastodon import Mastodon, MastodonNotFoundError
from mastodon.errors import MastodonAPIError

from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.mastodon_clients import Events, Toot, blocking, signed_in
from tests.support.pictures import encoded, halves
from tests.support.run import Run, temporary_run

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

_widths = itertools.count(400)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Run]:
    """A run without the demonstration community."""
    async with temporary_run() as run:
        await run.service("--no-demo").start()
        yield run


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(loop_scope="module")
async def pair(shared: Run, http: aiohttp.ClientSession) -> tuple[Mastodon, Mastodon]:
    """Mastodon.py, signed in for two new users, of whom the first one follows the second."""
    ann, ben = [await signed_in(await ApiUser.sign_up(http, shared.url)) for _ in range(2)]
    relation = await blocking(ann.account_follow, (await blocking(ben.me)).id)
    assert relation.following
    return ann, ben


def picture() -> bytes:
    """Return a picture, each another one."""
    return encoded(halves(next(_widths), 400))


def _post(client: Mastodon, text: str = "", *, description: str = "", **options: Any) -> Any:
    media = client.media_post(picture(), mime_type="image/jpeg", description=description)
    return client.status_post(text, media_ids=[media], **options)


async def test_an_app_and_its_user_are_known(pair: tuple[Mastodon, Mastodon]) -> None:
    """The installation says what it is, and the app and its user are the ones that were registered."""
    ann, _ = pair
    instance = await blocking(ann.instance)
    assert "compatible; PicShare" in instance.version
    assert (await blocking(ann.instance_v2)).configuration.statuses.max_media_attachments == 10
    assert (await blocking(ann.app_verify_credentials)).name == "Mastodon.py"
    me = await blocking(ann.me)
    assert (await blocking(ann.account_lookup, me.acct)).id == me.id

    async def found() -> bool:
        # On a busy machine a search gives up, and finds nothing.
        return [each.id for each in await blocking(ann.account_search, me.acct)] == [me.id]

    await eventually(found)
    assert (await blocking(ann.preferences))["posting:default:visibility"] == "public"
    updated = await blocking(
        ann.account_update_credentials,
        display_name="Ann",
        note="hello",
        avatar=picture(),
        avatar_mime_type="image/jpeg",
    )
    assert (updated.display_name, updated.source.note) == ("Ann", "hello")


async def test_live_events_of_a_post_a_like_a_reply_an_edit_and_a_deletion(pair: tuple[Mastodon, Mastodon]) -> None:
    """The follower receives `update`, `status.update` and `delete`, the author `notification`, in the moment."""
    ann, ben = pair
    follower, author = await Events.of(ann.stream_user), await Events.of(ben.stream_user)
    tagged = await Events.of(ann.stream_hashtag, "livetest")
    everyone = await Events.of(ann.stream_public)
    status = await blocking(_post, ben, "the sea #livetest", description="waves")
    assert status.media_attachments[0].description == "waves"
    assert "/media/" in status.media_attachments[0].url
    for events in (follower, author, tagged, everyone):
        update = await events.expect("update", lambda found: found.id == status.id)
        assert update.account.acct == status.account.acct
    assert (await follower.expect("update")).account.followers_count == 1
    await blocking(ann.status_favourite, status)
    liked = await author.expect("notification", lambda found: found.type == "favourite")
    assert liked.status.id == status.id
    reply = await blocking(ann.status_reply, status, "how beautiful")
    mentioned = await author.expect("notification", lambda found: found.type == "mention")
    assert mentioned.status.id == reply.id
    assert "how beautiful" in mentioned.status.content
    await blocking(ben.status_update, status, "the lake #livetest")
    edited = await follower.expect("status.update", lambda found: found.id == status.id)
    assert "the lake" in edited.content
    assert edited.edited_at is not None
    assert edited.media_attachments[0].description == "waves"
    await blocking(ben.status_delete, status)
    assert str(await follower.expect("delete")) == str(status.id)
    with pytest.raises(MastodonNotFoundError):
        await blocking(ann.status, status)


async def test_paging_the_home_timeline_to_its_end(pair: tuple[Mastodon, Mastodon]) -> None:
    """Each photo is there once, newest first; the way back up has the same ones."""
    ann, ben = pair
    posted = [(await blocking(_post, ben, f"number {number}")).id for number in range(7)]
    await eventually(lambda: blocking(lambda: len(ann.timeline_home(limit=40)) == 7))
    pages = [await blocking(ann.timeline_home, limit=3)]
    while following := await blocking(ann.fetch_next, pages[-1]):
        pages.append(following)
    assert [status.id for each in pages for status in each] == posted[::-1]
    above = await blocking(ann.fetch_previous, pages[-1])
    assert [status.id for status in above or []] == posted[3:0:-1]
    newer = await blocking(ann.timeline_home, since_id=posted[4])
    assert [status.id for status in newer] == [posted[6], posted[5]]
    assert await blocking(ann.timeline_home, min_id=posted[6]) == []


async def test_a_thread_and_reactions(pair: tuple[Mastodon, Mastodon]) -> None:
    """Comments are statuses in reply, with likes of their own."""
    ann, ben = pair
    status = await blocking(_post, ben, "hello")
    first = await blocking(ann.status_post, "first", in_reply_to_id=status)
    second = await blocking(ben.status_post, "second", in_reply_to_id=first)
    context = await blocking(ann.status_context, status)
    assert [each.id for each in context.descendants] == [first.id, second.id]
    context = await blocking(ann.status_context, second)
    assert [each.id for each in context.ancestors] == [status.id, first.id]
    assert (await blocking(ann.status_favourite, second)).favourited
    await blocking(ann.status_favourite, status)
    assert [each.id for each in await blocking(ben.status_favourited_by, status)] == [(await blocking(ann.me)).id]
    assert (await blocking(ann.status_bookmark, status)).bookmarked
    assert [each.id for each in await blocking(ann.bookmarks)] == [status.id]
    assert [each.id for each in await blocking(ann.favourites)] == [status.id]
    assert (await blocking(ann.status_unfavourite, status)).favourites_count == 0
    assert (await blocking(ann.status, status)).replies_count == 2
    edited = await blocking(ben.status_update, status, "hello again")
    assert "hello again" in edited.content
    assert (await blocking(ben.status_source, status)).text == "hello again"
    with pytest.raises(MastodonAPIError, match="photo"):
        await blocking(ben.status_post, "no photo")
    with pytest.raises(MastodonAPIError, match="reposts"):
        await blocking(ann.status_reblog, status)


async def test_the_same_key_posts_once(pair: tuple[Mastodon, Mastodon]) -> None:
    """An app that repeats a post whose response was lost gets the first one."""
    _, ben = pair
    media = await blocking(ben.media_post, picture(), mime_type="image/jpeg")
    posted = [await blocking(ben.status_post, "once", media_ids=[media], idempotency_key="a-key") for _ in range(2)]
    assert posted[0].id == posted[1].id


async def test_relations_lists_and_notifications(pair: tuple[Mastodon, Mastodon]) -> None:
    """On the paths that PicShare's own interface has, too, the app gets Mastodon's entities."""
    ann, ben = pair
    other = await blocking(ben.me)
    (relation,) = await blocking(ann.account_relationships, other)
    assert (relation.following, relation.blocking) == (True, False)
    assert [each.id for each in await blocking(ben.account_followers, other)] == [(await blocking(ann.me)).id]
    created = await blocking(ann.list_create, "Friends")
    await blocking(ann.list_accounts_add, created, [other])
    assert [each.id for each in await blocking(ann.list_accounts, created)] == [other.id]
    status = await blocking(_post, ben, "for the list #friends")
    assert [each.id for each in await blocking(ann.timeline_list, created)] == [status.id]
    assert status.id in [each.id for each in await blocking(ann.timeline_hashtag, "friends")]
    assert status.id in [each.id for each in await blocking(ann.timeline_public)]
    assert [each.id for each in await blocking(ann.account_statuses, other, only_media=True)] == [status.id]
    await blocking(ann.list_delete, created)
    await eventually(lambda: blocking(lambda: [each.type for each in ben.notifications()] == ["follow"]))
    (followed,) = await blocking(ben.notifications)
    assert (await blocking(ben.notifications, id=followed.id)).id == followed.id
    assert await blocking(ben.notifications, exclude_types=["follow"]) == []
    await blocking(ben.notifications_dismiss, followed)
    assert await blocking(ben.notifications) == []
    found = await blocking(ann.search_v2, other.acct)
    assert found.accounts[0].id == other.id
    assert (await blocking(ann.account_mute, other)).muting
    assert (await blocking(ann.account_block, other)).blocking
    assert not (await blocking(ann.account_unblock, other)).blocking
    marked = await blocking(ann.markers_set, ["home"], [status.id])
    assert marked.home.last_read_id == status.id


async def test_picshares_own_clients_get_its_own_interface(shared: Run, http: aiohttp.ClientSession) -> None:
    """The paths of both interfaces are PicShare's for its own sessions."""
    user = await ApiUser.sign_up(http, shared.url)
    for path in ("/notifications", "/lists"):
        assert (await user.call("GET", path)).expect(200)["items"] == []


async def test_streams_share_a_websocket(pair: tuple[Mastodon, Mastodon], http: aiohttp.ClientSession) -> None:
    """An app subscribes to several streams on one connection, and each event names its stream."""
    ann, ben = pair
    address = f"{ann.api_base_url}/api/v1/streaming?access_token={ann.access_token}"
    async with http.ws_connect(address) as socket:
        for stream in ({"stream": "user"}, {"stream": "hashtag", "tag": "Socket"}, {"stream": "nothing"}):
            await socket.send_json({"type": "subscribe", **stream})
        assert (await socket.receive_json(timeout=60))["status"] == 404
        status = await blocking(_post, ben, "#socket")
        received = [await socket.receive_json(timeout=60) for _ in range(2)]
        assert sorted(each["stream"] for each in received) == [["hashtag", "socket"], ["user"]]
        assert all(f'"id":"{status.id}"' in each["payload"] for each in received)
    async with http.get(f"{ann.api_base_url}/api/v1/streaming/health") as response:
        assert (response.status, await response.text()) == (200, "OK")
    async with http.get(f"{ann.api_base_url}/api/v1/streaming/user") as response:
        assert response.status == 401
        assert "error" in await response.json()


async def test_toot(shared: Run, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """The command signs in, posts a photo, follows, searches, and reads timelines."""
    other, user = await ApiUser.sign_up(http, shared.url), await ApiUser.sign_up(http, shared.url)
    toot, file = Toot(tmp_path), tmp_path / "picture.jpg"
    file.write_bytes(picture())
    assert "Successfully logged in" in await toot.sign_in(user)
    assert user.name in await toot.run("whoami")
    assert "Toot posted" in await toot.run("post", "hello #toot", "--media", str(file), "--description", "red and blue")
    assert "now following" in await toot.run("follow", other.name)
    assert other.name in await toot.run("search", other.name)
    assert "hello #toot" in await toot.run("timelines", "account", user.name)
    await eventually(lambda: _shows_home(toot))
    assert other.name in await toot.run("following")
    assert "created" in await toot.run("lists", "create", "Friends")
    assert "PicShare" in await toot.run("instance")


async def _shows_home(toot: Toot) -> bool:
    return "hello #toot" in await toot.run("timelines", "home")
