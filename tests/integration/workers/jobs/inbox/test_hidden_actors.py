"""Suspended accounts, and deleted ones that can return, leave the inboxes of others, and come back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from storage.events import ActorVisibilityChanged
from storage.models import Photo, User
from storage.stores.accounts import account_deletion, account_restrictions
from storage.stores.comments import comment_deletion, comments
from storage.stores.notifications import notification_counters, notification_drift, notification_removal
from storage.stores.notifications.hidden_actors import Placed
from tests.support.community import follow, new_users, ready_photo
from tests.support.inboxes import counters
from tests.support.stage import Stage, inbox, start_clean
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.withdrawals import Withdrawals

pytestmark = pytest.mark.engines


async def hide(stage: Stage, user: User, *, deleted: bool = False) -> None:
    """Suspend an account, or delete it for some time, and handle the events."""
    async with stage.database.transaction() as tx:
        if deleted:
            await account_deletion.schedule(tx, user.id, grace=timedelta(days=1))
        else:
            await account_restrictions.suspend(tx, user.id)
    await stage.pump()


async def show(stage: Stage, user: User, *, deleted: bool = False) -> None:
    """Let it return."""
    async with stage.database.transaction() as tx:
        if deleted:
            await account_deletion.restore(tx, user.id)
        else:
            await account_restrictions.reinstate(tx, user.id)
    await stage.pump()


async def comment_on(stage: Stage, photo: Photo, author: User) -> int:
    """Write a comment."""
    async with stage.database.transaction() as tx:
        return (await comments.add(tx, photo_id=photo.id, author_id=author.id, text="nice"))[0].id


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_hidden_account_leaves_inboxes_and_returns(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    """It leaves the entries of others and takes its own with it, counters included; all returns without news."""
    monkeypatch.setattr("workers.jobs.inbox.withdrawals.ACTIVITIES_AT_ONCE", 2)
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    shared, alone = await ready_photo(stage.database, ann), await ready_photo(stage.database, ann)
    await follow(stage.database, cat, ann)
    for user, photo in ((cat, alone), (bob, shared), (cat, shared)):
        await stage.like(user, photo)
    await comment_on(stage, alone, cat)
    await start_clean(stage, ann)
    before = await inbox(stage, ann)
    assert len(before) == 4
    assert "cat and bob liked your photo" in before
    await hide(stage, cat, deleted=deleted)
    assert await inbox(stage, ann) == ["bob liked your photo"]
    assert await notification_counters.read(stage.database, ann.id) == counters(like=(1, 1))
    assert await notification_drift.check(stage.database, after=0, limit=9) == ([], None)
    documents = [m.document for m in await stage.deliveries(ann) if m.body.get("stream") == "notifications"]
    assert sorted(document["type"] for document in documents) == ["notification.changed", *["notification.removed"] * 3]
    await show(stage, cat, deleted=deleted)
    assert await inbox(stage, ann) == before
    assert await notification_drift.check(stage.database, after=0, limit=9) == ([], None)
    documents = [m.document for m in await stage.deliveries(ann) if m.body.get("stream") == "notifications"]
    assert [document["type"] for document in documents] == ["notification.changed"] * 4


async def test_what_does_not_hold_any_more_does_not_return(stage: Stage) -> None:
    """A comment that was deleted meanwhile stays away, and so does what its recipient has deleted."""
    ann, cat = await new_users(stage.database, "ann", "cat")
    photo, other = await ready_photo(stage.database, ann), await ready_photo(stage.database, ann)
    await stage.like(cat, photo)
    await stage.like(cat, other)
    comment_id = await comment_on(stage, photo, cat)
    await start_clean(stage, ann)
    liked = await stage.database.fetchval("SELECT id FROM notifications WHERE photo_id = $1", other.id)
    async with stage.database.transaction() as tx:
        await notification_removal.dismiss(tx, ann.id, liked)
    await hide(stage, cat)
    assert await inbox(stage, ann) == []
    async with stage.database.transaction() as tx:
        await comment_deletion.delete(tx, comment_id, user_id=ann.id)
    await stage.pump()
    await show(stage, cat)
    assert await inbox(stage, ann) == ["cat liked your photo"]
    assert not await stage.database.fetchval("SELECT count(*) FROM notification_actors WHERE hidden")


async def test_an_account_that_returns_meanwhile_is_shown(stage: Stage) -> None:
    """A batch that has hidden activities of an account that returned at the same moment shows them again."""
    ann, cat = await new_users(stage.database, "ann", "cat")
    await stage.like(cat, await ready_photo(stage.database, ann))
    await start_clean(stage, ann)
    await stage.database.fetch("UPDATE users SET suspended_at = now() WHERE id = $1", cat.id)

    class ReturningAccount(Inbox):
        """An inbox in which the account returns right after its activities were hidden."""

        async def align_actor(self, recipient_id: int, placed: Sequence[Placed], *, shown: bool) -> None:
            await super().align_actor(recipient_id, placed, shown=shown)
            await stage.database.fetch("UPDATE users SET suspended_at = NULL WHERE id = $1", cat.id)

    withdrawals = Withdrawals(
        stage.database, ReturningAccount(stage.database, stage.notification_log), stage.comments.deleted
    )
    await withdrawals.visibility_changed(ActorVisibilityChanged(user_id=cat.id))
    assert await inbox(stage, ann) == ["cat liked your photo"]


async def test_a_late_event_does_what_is_right_by_now(stage: Stage) -> None:
    """An event that is handled again, after the account was shown again or without any change, changes nothing."""
    ann, cat = await new_users(stage.database, "ann", "cat")
    await stage.like(cat, await ready_photo(stage.database, ann))
    await start_clean(stage, ann)
    await stage.bulk[ActorVisibilityChanged.topic](ActorVisibilityChanged(user_id=cat.id))
    assert await inbox(stage, ann) == ["cat liked your photo"]
    for _ in range(2):
        await hide(stage, cat)
        await stage.bulk[ActorVisibilityChanged.topic](ActorVisibilityChanged(user_id=cat.id))
        assert await inbox(stage, ann) == []
        await show(stage, cat)
        assert await inbox(stage, ann) == ["cat liked your photo"]
