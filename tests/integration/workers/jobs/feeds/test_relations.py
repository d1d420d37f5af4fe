"""Follows, blocks, mutes and changes of accounts update feeds and end subscriptions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

import workers.jobs.bulk.account_changes
import workers.jobs.feeds.relations
from channels.bus.envelope import OwnerEnd
from storage.events import UserChanged
from storage.ids import encode
from storage.models import User
from storage.render.photo import PRIVATE, assemble
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_lists, comments
from storage.stores.social import blocks, follows, relations
from tests.support.community import block, follow, new_user, new_users, ready_photo
from tests.support.stage import Stage, kinds, start_clean
from workers.jobs.live import publications

pytestmark = pytest.mark.engines


async def test_follow_and_unfollow(stage: Stage) -> None:
    """A follow merges the author's photos; an unfollow removes them and revokes the author's presence.

    Whether the topics of the author's photos are still permitted is asked again, since some may be for followers.
    """
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await stage.feed(bob) == [photo.id]
    async with stage.database.transaction() as tx:
        await follows.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    assert await stage.feed(bob) == []
    order = {"control": "revoke", "owner": ann.id}
    assert [message.body for message in await stage.deliveries()] == [
        {**order, "topic": publications.presence_topic(ann.id)},
        {**order, "prefix": "photo:"},
    ]


async def test_a_request_changes_no_feed(stage: Stage) -> None:
    """A request to follow shows nothing until it is accepted; an unfollow then revokes the subscriptions."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.online(bob)
    await follow(stage.database, bob, ann)
    await stage.pump()
    assert await stage.feed(bob) == []
    async with stage.database.transaction() as tx:
        await follows.accept(tx, ann.id, bob.id)
    await stage.pump()
    assert await stage.feed(bob) == [photo.id]
    await stage.deliveries()
    async with stage.database.transaction() as tx:
        await follows.unfollow(tx, bob.id, ann.id)
    await stage.pump()
    orders = [message.body for message in await stage.deliveries(bob) if "control" in message.body]
    assert orders == [{"control": "revoke", "owner": ann.id}]


async def test_a_block_separates_two_users(stage: Stage) -> None:
    """A block removes each user's photos from the other's feed and separates their connections until an unblock."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await follow(stage.database, ann, bob)
    mine, yours = await ready_photo(stage.database, ann), await ready_photo(stage.database, bob)
    await stage.online(ann, bob)
    await stage.pump()
    assert await stage.feed(ann) == await stage.feed(bob) == [yours.id, mine.id]
    await stage.deliveries()
    await block(stage.database, ann, bob)
    await stage.pump()
    assert await stage.feed(ann) == [mine.id]
    assert await stage.feed(bob) == [yours.id]
    for order in ("block", "unblock"):
        deliveries = [(message.user_id, message.body) for message in await stage.deliveries()]
        assert (bob.id, {"control": order, "other": ann.id}) in deliveries
        assert (ann.id, {"control": order, "other": bob.id}) in deliveries
        async with stage.database.transaction() as tx:
            await blocks.unblock(tx, ann.id, bob.id)
        await stage.pump()


async def test_a_block_of_both_sides_outlasts_one_of_them(stage: Stage) -> None:
    """Two users who block each other remain separated when one of the blocks ends, also after late events."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await stage.online(ann)
    await block(stage.database, ann, bob)
    await block(stage.database, bob, ann)
    async with stage.database.transaction() as tx:
        await blocks.unblock(tx, ann.id, bob.id)
    await stage.pump()
    assert {message.body["control"] for message in await stage.deliveries()} == {"block"}


async def test_mute_and_unmute(stage: Stage) -> None:
    """A mute removes an author's photos from the feed, and its end merges them again."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await stage.online(bob)
    for change, expected in ((blocks.mute, []), (blocks.unmute, [photo.id])):
        async with stage.database.transaction() as tx:
            await change(tx, bob.id, ann.id)
        await stage.pump()
        assert await stage.feed(bob) == expected


async def test_a_new_name_is_on_the_cards(stage: Stage) -> None:
    """After a change of the author's name the cards show the new name, and open profiles and feeds receive it."""
    ann, bob, _ = await new_users(stage.database, "ann", "bob", "eve")
    await follow(stage.database, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann, bob)
    await stage.cards.get([photo.id])
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, display_name="Ann the Second")
    await stage.pump()
    card = (await stage.cards.get([photo.id]))[photo.id]
    assert b"Ann the Second" in card
    topic = f"user:{encode(ann.id)}"
    changed = {"type": "user.changed", "user": summary_of(ann, display_name="Ann the Second")}
    assert await stage.topic_publications() == [(topic, changed)]
    found = [each for each in await stage.deliveries() if "data" in each.body]
    assert [(each.user_id, each.offset, each.document) for each in found] == [(bob.id, 0, changed)]


async def test_a_new_avatar_and_banner_are_on_cards_and_published(stage: Stage) -> None:
    """After a change of the author's images the cards show the avatar, and open profiles get both."""
    ann = await new_user(stage.database, "ann")
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.cards.get([photo.id])
    await stage.topic_publications()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, avatar_sha256="a" * 64)
        await account_fields.update(tx, ann.id, banner_sha256="b" * 64)
    await stage.pump()
    assert b"a" * 64 in (await stage.cards.get([photo.id]))[photo.id]
    (_, first), (_, second) = await stage.topic_publications()
    for document in (first, second):
        assert "a" * 64 in document["user"]["avatar_url"]
        assert "b" * 64 in document["user"]["banner_url"]


def summary_of(user: User, **changes: str) -> dict[str, Any]:
    """Return the JSON of a user in a publication."""
    fields = {"id": encode(user.id), "username": user.username, "display_name": user.display_name}
    return {**fields, "avatar_url": None, "banner_url": None, **changes}


def first_document(card: bytes) -> Any:
    """Return the document of the photo before the change of name."""
    photo = orjson.loads(assemble(card, likes=0, comments=0, liked=False, sign=None))
    photo["author"]["display_name"] = "Ann"
    return {"type": "photo.new", "photo": photo}


async def test_topics_of_an_account_that_becomes_private_are_closed(stage: Stage) -> None:
    """When an account becomes private, one order to all processes ends the subscriptions to all of its topics."""
    ann = await new_user(stage.database, "ann")
    await ready_photo(stage.database, ann)
    await stage.pump()
    await stage.topic_publications()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    await stage.pump()
    assert await stage.topic_publications() == [("*", OwnerEnd(ann.id, spare_owner=True))]
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=False)
    await stage.pump()
    assert await stage.topic_publications() == []


async def test_an_account_that_becomes_public_grants_the_pending_requests(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an account becomes public all requests become follows, those of deleted accounts excepted."""
    monkeypatch.setattr("workers.jobs.bulk.account_changes.REQUESTS_AT_ONCE", 2)
    ann = await new_user(stage.database, "ann", private=True)
    # The first batch has the requests of deleted accounts only.
    *gone, bob, cat, dan = await new_users(stage.database, "eve", "fay", "bob", "cat", "dan")
    fans = [bob, cat, dan]
    photo = await ready_photo(stage.database, ann)
    for follower in (*fans, *gone):
        await follow(stage.database, follower, ann)
    for user in gone:
        async with stage.database.transaction() as tx:
            await users.remove(tx, user.id)
    await stage.online(fans[0])
    await stage.pump()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, display_name="Ann")
    await stage.pump()
    assert not (await relations.relation(stage.database, fans[0].id, ann.id)).following
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=False)
    await stage.pump()
    for fan in fans:
        relation = await relations.relation(stage.database, fan.id, ann.id)
        assert (relation.following, relation.requested) == (True, False)
    assert (await users.get(stage.database, ann.id)).followers == 3
    assert (await users.get(stage.database, fans[0].id)).following == 1
    assert await relations.requests(stage.database, ann.id, before=None, limit=9) == []
    assert await stage.feed(fans[0]) == [photo.id]


async def test_an_account_that_is_private_again_grants_no_request(stage: Stage) -> None:
    """A request stays open if the account is private again before it could be granted."""
    ann, bob = await new_user(stage.database, "ann", private=True), await new_user(stage.database, "bob")
    await follow(stage.database, bob, ann)
    for private in (False, True):
        async with stage.database.transaction() as tx:
            await account_fields.update(tx, ann.id, private=private)
    await stage.pump()
    relation = await relations.relation(stage.database, bob.id, ann.id)
    assert (relation.following, relation.requested) == (False, True)


async def test_all_cards_are_renewed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When an account becomes private, the public cards of all its photos are renewed, in more than one batch."""
    for module in (workers.jobs.feeds.relations, workers.jobs.bulk.account_changes):
        monkeypatch.setattr(module, "CARDS_AT_ONCE", 2)
    ann = await new_user(stage.database, "ann")
    ids = [(await ready_photo(stage.database, ann)).id for _ in range(5)]
    await stage.pump()
    assert set(await stage.cards.get(ids)) == set(ids)
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    await stage.pump()
    cards = await stage.cards.get(ids)
    assert [cards[photo_id][0] for photo_id in ids] == [PRIVATE] * len(ids)


async def test_all_comments_have_a_new_name(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the author's name the newest comments have it at once, and the others batch by batch."""
    for module in (account_fields, workers.jobs.bulk.account_changes):
        monkeypatch.setattr(module, "COMMENTS_AT_ONCE", 2)
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, bob)
    async with stage.database.transaction() as tx:
        for author in (ann, ann, bob, ann, ann, ann):
            await comments.add(tx, photo_id=photo.id, author_id=author.id, text="nice")

    async def names() -> list[str]:
        page = await comment_lists.page(stage.database, photo.id, viewer_id=None, limit=9)
        return [comment.author.display_name for comment in page]

    await stage.pump()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, ann.id, display_name="Anna")
    assert await names() == ["Anna", "Anna", "Ann", "Bob", "Ann", "Ann"]
    assert (await stage.pump()).count("bulk copies.outdated") == 2
    assert await names() == ["Anna", "Anna", "Anna", "Bob", "Anna", "Anna"]


async def test_a_deleted_account_leaves_feeds_and_connections(stage: Stage) -> None:
    """A deleted account's photos leave the followers' feeds, and its own feed and connections end."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await follow(stage.database, bob, ann)
    await stage.online(ann, bob)
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await comments.add(tx, photo_id=photo.id, author_id=bob.id, text="high!")
    await stage.pump()
    await stage.deliveries()
    await stage.topic_publications()
    async with stage.database.transaction() as tx:
        await users.remove(tx, ann.id)
    await stage.pump()
    last = publications.account_hidden(ann.id)
    assert ("*", OwnerEnd(ann.id, spare_owner=False, last=last)) in await stage.topic_publications()
    assert await stage.feed(bob) == []
    assert kinds(await stage.deliveries(bob)) == ["account.hidden", "photo.removed"]
    assert await stage.feeds.log.head(ann.id) is None
    await stage.fanout.handlers()["user.changed"](UserChanged(user_id=ann.id, deleted=True))
    assert {"control": "disconnect", "session": None} in [message.body for message in await stage.deliveries(ann)]
