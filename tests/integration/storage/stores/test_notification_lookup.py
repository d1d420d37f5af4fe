"""What the inbox of a recipient has of an activity, and whether the database has what it reports."""

from __future__ import annotations

from typing import Any

import pytest

from storage.models import User
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.accounts import account_fields, users
from storage.stores.comments import comment_deletion, comment_likes, comments
from storage.stores.notifications import decision_notices
from storage.stores.notifications.notification_lookup import Situation, look_up
from storage.stores.photos import likes, photo_deletion
from storage.stores.social import bells, blocks, follows
from tests.support.community import new_users, ready_photo, record_notification, retract_notification

pytestmark = pytest.mark.engines

# What PicShare itself reports has no row that could be removed.
_OF_PICSHARE = {
    NotificationKind.PHOTO_REJECTED,
    NotificationKind.WEBHOOK_FAILING,
    NotificationKind.WEBHOOK_DISABLED,
    NotificationKind.EXPORT_READY,
    NotificationKind.MODERATION,
    NotificationKind.SECURITY,
    *decision_notices.KINDS,
}


class Scene:
    """Ann, whose inbox it is, and the acts of others that concern her."""

    def __init__(self, database: Database, ann: User, photo_id: int, comment_id: int) -> None:
        self._database = database
        self.ann = ann
        self.photo_id = photo_id
        self.comment_id = comment_id
        self._comments: dict[int, int] = {}
        self._posted: dict[int, int] = {}

    @classmethod
    async def of(cls, database: Database, ann: User) -> Scene:
        """Return the scene with a photo and a comment of Ann."""
        photo = await ready_photo(database, ann)
        async with database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=ann.id, text="mine")
        return cls(database, ann, photo.id, comment.id)

    async def act(self, kind: NotificationKind, user: User) -> None:
        """Do what an activity of a kind reports; for an acceptance, Ann follows the user, with a bell for a photo."""
        if kind is NotificationKind.POST_BY:
            self._posted[user.id] = (await ready_photo(self._database, user)).id
        async with self._database.transaction() as tx:
            match kind:
                case NotificationKind.LIKE:
                    await likes.add(tx, photo_id=self.photo_id, user_id=user.id)
                case NotificationKind.COMMENT:
                    comment, _ = await comments.add(tx, photo_id=self.photo_id, author_id=user.id, text="x")
                    self._comments[user.id] = comment.id
                case NotificationKind.MENTION:
                    comment, _ = await comments.add(tx, photo_id=self.photo_id, author_id=user.id, text="see @ann")
                    self._comments[user.id] = comment.id
                case NotificationKind.REPLY:
                    comment, _ = await comments.add(
                        tx, photo_id=self.photo_id, author_id=user.id, text="x", reply_to=self.comment_id
                    )
                    self._comments[user.id] = comment.id
                case NotificationKind.COMMENT_LIKE:
                    await comment_likes.add(tx, comment_id=self.comment_id, user_id=user.id)
                case NotificationKind.FOLLOW | NotificationKind.FOLLOW_REQUEST:
                    await follows.follow(tx, user.id, self.ann.id)
                case NotificationKind.POST_BY:
                    await follows.follow(tx, self.ann.id, user.id)
                    await bells.turn_on(tx, self.ann.id, user.id)
                case _:
                    await follows.follow(tx, self.ann.id, user.id)

    async def undo(self, kind: NotificationKind, user: User) -> None:
        """Undo it."""
        async with self._database.transaction() as tx:
            match kind:
                case NotificationKind.LIKE:
                    await likes.remove(tx, photo_id=self.photo_id, user_id=user.id)
                case NotificationKind.COMMENT_LIKE:
                    await comment_likes.remove(tx, comment_id=self.comment_id, user_id=user.id)
                case NotificationKind.COMMENT | NotificationKind.MENTION | NotificationKind.REPLY:
                    await comment_deletion.delete(tx, self._comments[user.id], user_id=user.id)
                case NotificationKind.FOLLOW | NotificationKind.FOLLOW_REQUEST:
                    await follows.unfollow(tx, user.id, self.ann.id)
                case NotificationKind.POST_BY:
                    await bells.turn_off(tx, self.ann.id, user.id)
                case _:
                    await follows.unfollow(tx, self.ann.id, user.id)

    def activity(self, kind: NotificationKind, user: User) -> Activity:
        """Return the activity."""
        written = self._comments.get(user.id, 0)
        source = {
            NotificationKind.LIKE: self.photo_id,
            NotificationKind.COMMENT_LIKE: self.comment_id,
            NotificationKind.POST_BY: self._posted.get(user.id, 0),
            **dict.fromkeys((NotificationKind.COMMENT, NotificationKind.MENTION, NotificationKind.REPLY), written),
        }
        return Activity(
            recipient_id=self.ann.id,
            kind=kind,
            actor_id=user.id,
            photo_id=self._posted.get(user.id, 0)
            if kind is NotificationKind.POST_BY
            else self.photo_id
            if kind in source
            else None,
            source_id=source.get(kind, user.id),
        )

    async def look(self, kind: NotificationKind, user: User) -> Situation:
        """Look an activity up."""
        async with self._database.transaction() as tx:
            found = await look_up(tx, self.activity(kind, user))
        assert found is not None
        return found


@pytest.mark.parametrize("kind", [kind for kind in NotificationKind if kind not in _OF_PICSHARE])
async def test_an_activity_holds_as_long_as_its_row_is_there(database: Database, kind: NotificationKind) -> None:
    """It holds from the act until it is undone, whatever others do, or the user to others; a follow back is another."""
    ann, bob, cat, dan = await new_users(database, "ann", "bob", "cat", "dan")
    if kind is NotificationKind.FOLLOW_REQUEST:
        async with database.transaction() as tx:
            for user in (ann, dan):
                await account_fields.update(tx, user.id, private=True)
    scene, beside = await Scene.of(database, ann), await Scene.of(database, dan)
    await beside.act(kind, bob)
    if kind in {NotificationKind.FOLLOW, NotificationKind.FOLLOW_ACCEPTED}:
        other = {NotificationKind.FOLLOW: NotificationKind.FOLLOW_ACCEPTED}.get(kind, NotificationKind.FOLLOW)
        await scene.act(other, bob)
    await scene.act(kind, dan)
    assert not (await scene.look(kind, bob)).holds
    for user in (bob, cat):
        await scene.act(kind, user)
    assert (await scene.look(kind, bob)).holds
    await scene.undo(kind, bob)
    assert not (await scene.look(kind, bob)).holds
    assert (await scene.look(kind, cat)).holds


async def test_the_situation_of_a_like(database: Database) -> None:
    """The entry that has the like, the open one of its group with its newest actors, and what was retracted."""
    ann, *fans = await new_users(database, "ann", "bob", "cat", "dan", "eve", "fay")
    scene = await Scene.of(database, ann)
    bob, cat, dan, eve, fay = fans
    kind = NotificationKind.LIKE
    found = await scene.look(kind, bob)
    assert (found.recorded, found.open, found.newest_actors, found.newest_at) == (None, None, [], None)
    entry_ids = set()
    for user in (bob, cat, dan, eve):
        async with database.transaction() as tx:
            entry = await record_notification(tx, **_fields(scene.activity(kind, user)))
            assert entry is not None
            entry_ids.add(entry.id)
    (entry_id,) = entry_ids
    found = await scene.look(kind, bob)
    assert (found.recorded, found.open, found.retracted, found.deleted, found.expired) == (
        entry_id, entry_id, False, False, False,
    )  # fmt: skip
    assert found.newest_actors == [eve.id, dan.id, cat.id]
    assert found.newest_at is not None
    assert found.newest_at < found.now
    assert (found.open_counts, found.recorded_counts) == (True, False)
    found = await scene.look(kind, fay)
    assert (found.recorded, found.open, found.open_counts) == (None, entry_id, False)
    async with database.transaction() as tx:
        await retract_notification(tx, **_fields(scene.activity(kind, bob)))
    found = await scene.look(kind, bob)
    assert (found.recorded, found.retracted, found.recent, found.open_counts) == (entry_id, True, True, False)
    newest_at = found.newest_at
    async with database.transaction() as tx:
        await retract_notification(tx, **_fields(scene.activity(kind, eve)))
    found = await scene.look(kind, eve)
    assert found.newest_actors == [dan.id, cat.id]
    assert newest_at is not None
    assert found.newest_at is not None
    assert found.newest_at < newest_at


async def test_the_likes_of_each_comment_are_a_group_of_their_own(database: Database) -> None:
    """A like finds the open entry of the same comment, with the time of its newest like, and not that of another."""
    ann, bob, cat = await new_users(database, "ann", "bob", "cat")
    scene, kind = await Scene.of(database, ann), NotificationKind.COMMENT_LIKE
    async with database.transaction() as tx:
        other, _ = await comments.add(tx, photo_id=scene.photo_id, author_id=ann.id, text="mine, too")
    liked = (scene.comment_id, other.id)
    entry_ids = []
    for comment_id in liked:
        scene.comment_id = comment_id
        assert (await scene.look(kind, cat)).open is None
        async with database.transaction() as tx:
            entry = await record_notification(tx, **_fields(scene.activity(kind, bob)))
        assert entry is not None
        entry_ids.append(entry.id)
    found = []
    for comment_id in liked:
        scene.comment_id = comment_id
        found.append(await scene.look(kind, cat))
    assert [each.open for each in found] == entry_ids
    older, newer = (each.newest_at for each in found)
    assert older is not None
    assert newer is not None
    assert older < newer


async def test_an_inbox_of_a_deleted_account_is_not_found(database: Database) -> None:
    """There is no situation in the inbox of a deleted account."""
    ann, bob = await new_users(database, "ann", "bob")
    scene = await Scene.of(database, ann)
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    async with database.transaction() as tx:
        assert await look_up(tx, scene.activity(NotificationKind.LIKE, bob)) is None


def _fields(activity: Activity) -> dict[str, Any]:
    return {name: getattr(activity, name) for name in ("recipient_id", "kind", "actor_id", "photo_id", "source_id")}


async def test_what_may_be_recorded_as_far_as_the_recipient_s_shard_knows(database: Database) -> None:
    """Nothing about a deleted photo, of a user that the recipient mutes, or that is blocked in either direction.

    A mention is not recorded either of a user that mutes the recipient.
    """
    ann, bob, cat, dan, eve = await new_users(database, "ann", "bob", "cat", "dan", "eve")
    scene = await Scene.of(database, ann)
    kind = NotificationKind.LIKE
    async with database.transaction() as tx:
        await blocks.mute(tx, ann.id, bob.id)
        await blocks.mute(tx, cat.id, ann.id)
        await blocks.block(tx, dan.id, ann.id)
        await blocks.block(tx, ann.id, eve.id)
    assert [(await scene.look(kind, user)).allowed for user in (bob, cat, dan, eve)] == [False, True, False, False]
    assert not (await scene.look(NotificationKind.MENTION, cat)).allowed
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, scene.photo_id, author_id=ann.id)
    assert not (await scene.look(kind, cat)).allowed


async def test_a_row_that_is_not_retracted_is_found_before_newer_ones(database: Database) -> None:
    """An activity that was retracted in a newer entry, and recorded again in an older one, is recorded there."""
    ann, bob = await new_users(database, "ann", "bob")
    scene = await Scene.of(database, ann)
    like = scene.activity(NotificationKind.LIKE, bob)
    entry_ids = []
    for _ in range(2):
        async with database.transaction() as tx:
            entry = await record_notification(tx, **_fields(like))
            assert entry is not None
            entry_ids.append(entry.id)
            await tx.execute("UPDATE notifications SET closed_at = now()")
            await tx.execute(
                "UPDATE notification_actors SET retracted_at = now(), created_at = now() - interval '2 days'"
            )
    older, newer = entry_ids
    assert newer > older
    assert (await scene.look(NotificationKind.LIKE, bob)).recorded == newer
    await database.fetch("UPDATE notification_actors SET retracted_at = NULL WHERE notification_id = $1", older)
    found = await scene.look(NotificationKind.LIKE, bob)
    assert (found.recorded, found.retracted) == (older, False)
