"""Counters equal the number of rows that they count after many concurrent changes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.notifications import NotificationKind
from storage.postgres.database import Database, Transaction
from storage.stores import inbox_lock
from storage.stores.accounts import account_fields, erasure, users
from storage.stores.comments import comment_deletion, comment_likes, comment_pins, comments
from storage.stores.notifications import notification_actors, notification_marks
from storage.stores.notifications.notification_marks import Selection
from storage.stores.photos import likes, photo_deletion, photo_processing
from storage.stores.social import blocks, follows
from tests.support.community import new_users, processing_photo, record_notification, retract_notification

pytestmark = pytest.mark.engines

Act = Callable[[Transaction], Awaitable[object]]

DRIFT = """
    SELECT
      (SELECT count(*) FROM users u WHERE followers <> (SELECT count(*) FROM followers WHERE followee_id = u.id)
          OR following <> (SELECT count(*) FROM following WHERE follower_id = u.id)
          OR photos <> (SELECT count(*) FROM photos p
                        WHERE p.author_id = u.id AND p.state = 'ready' AND p.deleted_at IS NULL)) AS people,
      (SELECT count(*) FROM photos p WHERE likes <> (SELECT count(*) FROM likes l WHERE l.photo_id = p.id)
          OR comments <> (SELECT count(*) FROM comments c WHERE c.photo_id = p.id AND c.deleted_at IS NULL)) AS photos,
      (SELECT count(*) FROM notifications n WHERE n.people <>
          (SELECT count(DISTINCT actor_id) FROM notification_actors t
           WHERE t.notification_id = n.id AND t.retracted_at IS NULL)
          OR n.newest_actors <> ARRAY(
              SELECT actor_id FROM notification_actors t WHERE t.notification_id = n.id AND t.retracted_at IS NULL
              GROUP BY actor_id ORDER BY max(created_at) DESC, actor_id DESC LIMIT 3)) AS entries,
      (SELECT count(*) FROM (SELECT FROM likes GROUP BY photo_id, version HAVING count(*) > 1) AS twins) AS versions,
      (SELECT count(*) FROM comments c WHERE likes <> (SELECT count(*) FROM comment_likes l WHERE l.comment_id = c.id)
          OR replies <> (SELECT count(*) FROM comments r
                         WHERE r.reply_to = c.id AND r.deleted_at IS NULL)) AS comments,
      (SELECT count(*) FROM (SELECT FROM comments WHERE pinned_at IS NOT NULL AND deleted_at IS NULL
                             GROUP BY photo_id HAVING count(*) > 3) AS photos_with) AS pins
"""


class Activities:
    """Users with random activities; a seed determines the sequence."""

    def __init__(self, seed: int, user_ids: list[int], photo_ids: dict[int, int]) -> None:
        self._random = random.Random(seed)
        self._users = user_ids
        self._photos = photo_ids  # photo id → author id
        self._comments = [0]

    def act(self) -> Act:
        """Draw one act."""
        draw = self._random
        one, other = draw.choice(self._users), draw.choice(self._users)
        photo_id = draw.choice(list(self._photos))
        author_id = self._photos[photo_id]
        comment_id = draw.choice(self._comments)
        acts: list[Act] = [
            lambda tx: follows.follow(tx, one, other),
            lambda tx: follows.unfollow(tx, one, other),
            lambda tx: blocks.block(tx, one, other),
            lambda tx: blocks.unblock(tx, one, other),
            lambda tx: follows.accept(tx, one, other),
            lambda tx: account_fields.update(tx, one, private=draw.random() < 0.5, display_name=str(draw.random())),
            lambda tx: photo_processing.mark_ready(tx, photo_id, width=1, height=1, placeholder=None, exif={"a": "b"}),
            lambda tx: likes.add(tx, photo_id=photo_id, user_id=one),
            lambda tx: likes.remove(tx, photo_id=photo_id, user_id=one),
            lambda tx: self._comment(tx, photo_id, one),
            lambda tx: comment_deletion.delete(tx, comment_id, user_id=one),
            lambda tx: self._comment(tx, photo_id, one, reply_to=comment_id),
            lambda tx: comments.edit(tx, comment_id, author_id=one, text=f"{draw.random()} @{draw.choice('abcdefgh')}"),
            lambda tx: comment_likes.add(tx, comment_id=comment_id, user_id=one),
            lambda tx: comment_likes.remove(tx, comment_id=comment_id, user_id=one),
            lambda tx: comment_pins.pin(tx, comment_id, owner_id=author_id),
            lambda tx: comment_deletion.delete_some(tx, author_id=one, owner_id=author_id, limit=3),
            lambda tx: comment_deletion.delete_orphans(tx, comment_id),
            lambda tx: photo_deletion.delete(tx, photo_id, author_id=author_id),
            lambda tx: users.remove(tx, one),
            lambda tx: erasure.erase(tx, one, limit=3, grace_minutes=0),
            lambda tx: _notify(tx, author_id, one, photo_id),
            lambda tx: _withdraw(tx, author_id, one, photo_id),
            lambda tx: _mark(tx, author_id),
            lambda tx: _withdraw_actor(tx, author_id, one),
        ]
        weights = [9, 3, 1, 3, 3, 3, 6, 9, 4, 9, 4, 9, 1, 9, 4, 2, 0.5, 0.2, 0.4, 0.15, 1, 9, 4, 1, 1]
        return draw.choices(acts, weights)[0]

    async def _comment(self, tx: Transaction, photo_id: int, author_id: int, *, reply_to: int | None = None) -> None:
        comment, _ = await comments.add(tx, photo_id=photo_id, author_id=author_id, text="@a", reply_to=reply_to)
        self._comments.append(comment.id)


async def _notify(tx: Transaction, recipient_id: int, actor_id: int, photo_id: int) -> None:
    await record_notification(
        tx,
        recipient_id=recipient_id,
        kind=NotificationKind.LIKE,
        actor_id=actor_id,
        photo_id=photo_id,
        source_id=photo_id,
    )


async def _mark(tx: Transaction, user_id: int) -> None:
    await inbox_lock.acquire(tx, user_id)
    await notification_marks.mark_read(tx, user_id, Selection())


async def _withdraw(tx: Transaction, recipient_id: int, actor_id: int, photo_id: int) -> None:
    await inbox_lock.acquire(tx, recipient_id)
    await retract_notification(
        tx,
        recipient_id=recipient_id,
        kind=NotificationKind.LIKE,
        actor_id=actor_id,
        photo_id=photo_id,
        source_id=photo_id,
    )


async def _withdraw_actor(tx: Transaction, recipient_id: int, actor_id: int) -> None:
    await inbox_lock.acquire(tx, recipient_id)
    found = await notification_actors.entries_of(tx, actor_id, recipient_id=recipient_id, limit=9)
    await notification_actors.retract_actor(
        tx, recipient_id=recipient_id, actor_id=actor_id, entry_ids=found.get(recipient_id, [])
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_counters_never_drift(database: Database, seed: int) -> None:
    """After concurrent random activities without a deadlock, every counter is correct."""
    accounts = await new_users(database, *"abcdefgh")
    photo_ids = {(await processing_photo(database, author)).id: author.id for author in accounts for _ in range(2)}
    drawn = Activities(seed, [user.id for user in accounts], photo_ids)
    done = 0

    async def live() -> None:
        nonlocal done
        for _ in range(100):
            try:
                async with database.transaction() as tx:
                    await drawn.act()(tx)
                done += 1
            except (NotFoundError, ConflictError):
                # The target may just have been deleted or blocked; a deadlock would raise another error.
                continue

    await asyncio.gather(*(live() for _ in range(8)))
    assert done > 200
    drift = await database.fetchrow(DRIFT)
    assert drift is not None
    assert dict(drift) == {"people": 0, "photos": 0, "entries": 0, "versions": 0, "comments": 0, "pins": 0}
