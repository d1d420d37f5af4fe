"""Notifications of the photos of accounts on which their followers have a bell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.events import PhotoReady
from storage.ids import encode
from storage.models import Photo, User
from storage.moderation import Decider, Decision, ModerationAction
from storage.stores.accounts import account_deletion
from storage.stores.photos import photo_moderation
from storage.stores.social import bells, blocks, follows, relations
from tests.support.community import block, follow, new_users, processing_photo, ready_photo
from tests.support.stage import Stage, inbox, start_clean

pytestmark = pytest.mark.engines


async def ring(stage: Stage, follower: User, author: User) -> None:
    """Follow an account, with a bell."""
    await follow(stage.database, follower, author)
    async with stage.database.transaction() as tx:
        await bells.turn_on(tx, follower.id, author.id)


async def decide(stage: Stage, photo: Photo, action: ModerationAction) -> None:
    """Hide a photo, or show it again."""
    async with stage.database.transaction() as tx:
        await photo_moderation.decide(tx, photo.id, Decision(action=action, by=Decider.MODERATOR))


async def test_followers_with_a_bell_are_notified_chunk_by_chunk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each follower with a bell once, those without one never; those after the first chunk in the queue "bulk"."""
    monkeypatch.setattr("workers.jobs.inbox.bells.FOLLOWERS_AT_ONCE", 2)
    ann, *fans, plain = await new_users(stage.database, "ann", "bob", "cat", "dan", "eve", "fay", "gus")
    for fan in fans:
        await ring(stage, fan, ann)
    await follow(stage.database, plain, ann)
    await start_clean(stage, *fans)
    photo = await ready_photo(stage.database, ann)
    handled = await stage.pump()
    assert handled.count("bulk bell.chunk") == 2
    assert [await inbox(stage, fan) for fan in fans] == [["ann posted a photo"]] * len(fans)
    assert await inbox(stage, plain) == []
    published = [m for m in await stage.deliveries() if m.body.get("stream") == "notifications"]
    assert sorted(m.user_id for m in published) == sorted(fan.id for fan in fans)
    notification = published[0].document["notification"]
    assert (notification["kind"], notification["photo_id"]) == ("post_by", encode(photo.id))


async def test_a_bell_needs_a_follow_and_ends_with_it(stage: Stage) -> None:
    """It is refused without a follow, hidden accounts are not found, and after another follow it is off."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")

    async def turn(on: bool, author: User = ann) -> bool:
        async with stage.database.transaction() as tx:
            return await (bells.turn_on if on else bells.turn_off)(tx, bob.id, author.id)

    with pytest.raises(ConflictError, match="Follow this account first"):
        await turn(True)
    await block(stage.database, cat, bob)
    with pytest.raises(NotFoundError):
        await turn(True, cat)
    assert not await turn(False)
    await follow(stage.database, bob, ann)
    assert [await turn(True), await turn(True)] == [True, False]
    assert (await relations.relation(stage.database, bob.id, ann.id)).bell
    async with stage.database.transaction() as tx:
        await follows.unfollow(tx, bob.id, ann.id)
    await follow(stage.database, bob, ann)
    assert not (await relations.relation(stage.database, bob.id, ann.id)).bell
    await start_clean(stage, bob)
    await ready_photo(stage.database, ann)
    await stage.pump()
    assert await inbox(stage, bob) == []


async def test_a_muted_account_rings_no_bell(stage: Stage) -> None:
    """A follower who mutes the author is not notified, and neither is one who turns the bell off again."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    for fan in (bob, cat):
        await ring(stage, fan, ann)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, bob.id, ann.id)
        assert await bells.turn_off(tx, cat.id, ann.id)
    await ready_photo(stage.database, ann)
    await stage.pump()
    assert await inbox(stage, bob) == await inbox(stage, cat) == []


async def test_a_hidden_photo_leaves_the_inboxes_and_returns_silently(stage: Stage) -> None:
    """A photo that moderation hides is withdrawn from the inboxes; shown again, it returns without news."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await ring(stage, bob, ann)
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, bob)
    assert await inbox(stage, bob) == ["ann posted a photo"]
    await decide(stage, photo, ModerationAction.HIDE)
    await stage.pump()
    assert await inbox(stage, bob) == []
    await decide(stage, photo, ModerationAction.ALLOW)
    await stage.pump()
    assert await inbox(stage, bob) == ["ann posted a photo"]
    types = [m.document["type"] for m in await stage.deliveries(bob) if m.body["stream"] == "notifications"]
    assert types == ["notification.removed", "notification.changed"]


async def test_hidden_photos_are_withdrawn_chunk_by_chunk(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """All inboxes, each once; the inbox of an account that is deleted for some time does not stop the others."""
    monkeypatch.setattr("workers.jobs.inbox.bells.FOLLOWERS_AT_ONCE", 1)
    ann, *fans = await new_users(stage.database, "ann", "bob", "cat", "dan")
    for fan in fans:
        await ring(stage, fan, ann)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    async with stage.database.transaction() as tx:
        await account_deletion.schedule(tx, fans[1].id, grace=timedelta(days=1))
    await decide(stage, photo, ModerationAction.HIDE)
    handled = await stage.pump()
    assert handled.count("bulk bell.chunk") == 4
    assert await inbox(stage, fans[0]) == await inbox(stage, fans[2]) == []


async def test_a_photo_that_is_not_ready_is_not_notified(stage: Stage) -> None:
    """An event that overtakes the photo's readiness records nothing."""
    ann, bob = await new_users(stage.database, "ann", "bob")
    await ring(stage, bob, ann)
    photo = await processing_photo(stage.database, ann)
    await stage.bells.shown(PhotoReady(photo_id=photo.id, author_id=ann.id))
    assert await inbox(stage, bob) == []
