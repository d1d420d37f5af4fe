"""An inbox with many changes at once: it delays no other, and no change is lost, doubled or announced wrongly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from storage.errors import NotFoundError, UnavailableError
from storage.events import LikeAdded, decode
from storage.models import Photo, User
from storage.notifications import Activity, NotificationKind
from storage.postgres.rows import Row
from storage.stores import inbox_lock
from storage.stores.comments import comments
from storage.stores.notifications import (
    notification_drift,
    notification_marks,
    notifications,
    waiting_activities,
)
from storage.stores.notifications.notification_marks import Selection
from storage.stores.social import blocks
from tests.support.community import block, new_users, ready_photo
from tests.support.eventually import eventually
from tests.support.stage import Stage, inbox, kinds, start_clean
from workers.jobs.context import Handlers
from workers.jobs.inbox.activities import Operation
from workers.jobs.inbox.bells import BellHandlers
from workers.jobs.inbox.comments import CommentHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.notify import NotifyHandlers, notify_handlers

pytestmark = pytest.mark.engines

CONCURRENCY = 16  # of the worker, as the registry has it


def like_of(user: User, photo: Photo) -> Activity:
    """Return the activity of a like."""
    return Activity(
        recipient_id=photo.author.id,
        kind=NotificationKind.LIKE,
        actor_id=user.id,
        photo_id=photo.id,
        source_id=photo.id,
    )


async def store(stage: Stage, activity: Activity, operation: Operation = Operation.RECORD) -> None:
    """Store an activity, as a worker does that has ended since."""
    async with stage.database.transaction() as tx:
        await waiting_activities.add(tx, operation=operation.value, activity=activity)


async def wrong_entries(stage: Stage) -> int:
    """Return the number of entries whose actors are not what counting them again gives."""
    return len((await notification_drift.check(stage.database, after=0, limit=1000)).wrong)


async def test_a_busy_inbox_leaves_the_worker_to_others(stage: Stage) -> None:
    """While an inbox is locked its likes take five of the worker's jobs; others go on, and then all are recorded."""
    ann, zoe, *fans = await new_users(stage.database, "ann", "zoe", *(f"fan{n}" for n in range(40)))
    photo, other = await ready_photo(stage.database, ann), await ready_photo(stage.database, zoe)
    await start_clean(stage, ann, zoe)
    for fan in fans:
        await stage.like(fan, photo)
    events = [LikeAdded(photo_id=photo.id, owner_id=ann.id, user_id=fan.id) for fan in fans]
    free = asyncio.Semaphore(CONCURRENCY)

    async def job(handling: Awaitable[None]) -> None:
        async with free:
            await handling

    async with inbox_lock.hold(stage.database, ann.id):
        jobs = [asyncio.create_task(job(stage.notify.like_changed(event))) for event in events]
        await eventually(lambda: sum(not task.done() for task in jobs) <= 5)
        await stage.like(fans[0], other)
        await asyncio.wait_for(
            job(stage.notify.like_changed(LikeAdded(photo_id=other.id, owner_id=zoe.id, user_id=fans[0].id))), 5
        )
        assert kinds(await stage.deliveries()) == ["notification"]
    await asyncio.gather(*jobs)
    (entry,) = await notifications.inbox(stage.database, ann.id, before=None, limit=9)
    assert (entry.count, await wrong_entries(stage)) == (40, 0)
    published = [message.document for message in await stage.deliveries(ann)]
    assert published[-1]["notification"]["count"] == 40
    assert {document["type"] for document in published} == {"notification"}
    assert len(published) <= 6
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 0


async def test_changes_that_wait_together_are_published_once(stage: Stage) -> None:
    """A new like is announced, also where a retraction of the same entry is carried out together with it."""
    ann, bob, cat, dan = await new_users(stage.database, "ann", "bob", "cat", "dan")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    changed = Inbox(stage.database, stage.notification_log)
    await changed.record(like_of(bob, photo))
    await stage.deliveries()
    async with inbox_lock.hold(stage.database, ann.id):
        first = asyncio.create_task(changed.publish(ann.id, 1))
        await asyncio.sleep(0)
        waiting = [
            asyncio.create_task(changed.record(like_of(cat, photo))),
            asyncio.create_task(changed.record(like_of(dan, photo))),
            asyncio.create_task(changed.withdraw(like_of(bob, photo))),
        ]
        await asyncio.sleep(0)
    await asyncio.gather(first, *waiting)
    removed, news = [message.document for message in await stage.deliveries(ann)]
    assert (removed["type"], news["type"]) == ("notification.removed", "notification")
    assert news["notification"]["text"] == "dan and cat liked your photo"


async def test_a_stored_activity_is_handled_with_the_next_change(stage: Stage) -> None:
    """An activity that was stored by a process that died is recorded by the next handler, whatever that one changes."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, ann.id, cat.id)
    await start_clean(stage, ann)
    for _ in range(3):
        await store(stage, like_of(bob, photo))
    await Inbox(stage.database, stage.notification_log).record(like_of(cat, photo))
    assert await inbox(stage, ann) == ["bob liked your photo"]
    assert kinds(await stage.deliveries(ann)) == ["notification"]


async def test_more_stored_activities_than_one_batch_are_handled(stage: Stage) -> None:
    """All stored activities of an inbox are handled, in batches, and those of another inbox stay."""
    ann, zoe, *fans = await new_users(stage.database, "ann", "zoe", *(f"fan{n}" for n in range(45)))
    photo, other = await ready_photo(stage.database, ann), await ready_photo(stage.database, zoe)
    for fan in fans:
        await store(stage, like_of(fan, photo))
    await store(stage, like_of(fans[0], other))
    await Inbox(stage.database, stage.notification_log).publish(ann.id, 1)
    (entry,) = await notifications.inbox(stage.database, ann.id, before=None, limit=9)
    assert entry.count == 45
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 1


async def test_a_stored_activity_stays_until_it_is_published(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Redis is away after the commit, the stored activity stays, and the repeated handler publishes it."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, ann.id, cat.id)
    await start_clean(stage, ann)
    changed = Inbox(stage.database, stage.notification_log)
    await store(stage, like_of(bob, photo))

    async def away(*_: object) -> bool:
        raise UnavailableError("redis", "away")

    with monkeypatch.context() as patch:
        patch.setattr(type(stage.notification_log), "push", away)
        with pytest.raises(UnavailableError):
            await changed.record(like_of(cat, photo))  # which publishes nothing itself, because the user is muted
    assert await inbox(stage, ann) == ["bob liked your photo"]
    await changed.record(like_of(cat, photo))
    assert kinds(await stage.deliveries(ann)) == ["notification"]
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 0


async def test_a_stored_activity_that_fails_holds_up_nothing_else(stage: Stage) -> None:
    """A stored activity that a defect makes fail is logged and stays; what is stored after it, and events, go on."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    rejection = Activity(
        recipient_id=ann.id, kind=NotificationKind.PHOTO_REJECTED, actor_id=None, photo_id=photo.id, source_id=photo.id
    )
    await store(stage, rejection, Operation.WITHDRAW)
    await store(stage, like_of(bob, photo))
    with capture_logs() as logs:
        await Inbox(stage.database, stage.notification_log).record(like_of(cat, photo))
    assert await inbox(stage, ann) == ["bob and cat liked your photo"]
    assert [entry["kind"] for entry in logs if entry["event"] == "stored_activity_failed"] == ["photo_rejected"]
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 1


async def test_an_outage_is_met_once_for_all_that_wait(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Redis is away, changes that wait together fail after one attempt, and no stored activity is given up."""
    ann, bob, cat = await new_users(stage.database, "ann", "bob", "cat")
    photo = await ready_photo(stage.database, ann)
    rejection = Activity(
        recipient_id=ann.id, kind=NotificationKind.PHOTO_REJECTED, actor_id=None, photo_id=photo.id, source_id=photo.id
    )
    attempts = 0

    async def away(*_: object) -> bool:
        nonlocal attempts
        attempts += 1
        raise UnavailableError("redis", "away")

    for name in ("push", "push_once"):
        monkeypatch.setattr(type(stage.notification_log), name, away)
    changed = Inbox(stage.database, stage.notification_log)
    async with inbox_lock.hold(stage.database, ann.id):
        tasks = [asyncio.create_task(changed.record(like_of(fan, photo))) for fan in (bob, cat, bob, cat)]
        await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert ([type(result) for result in results], attempts) == ([UnavailableError] * 4, 2)
    await store(stage, rejection, Operation.WITHDRAW)
    await store(stage, like_of(bob, photo))
    async with stage.database.transaction() as tx:
        await blocks.mute(tx, ann.id, cat.id)
    with capture_logs() as logs, pytest.raises(UnavailableError):
        await changed.record(like_of(cat, photo))
    assert [entry["kind"] for entry in logs if entry["event"] == "stored_activity_failed"] == ["photo_rejected"]


async def test_an_activity_is_not_left_to_changes_that_have_begun(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no change waits any more once an activity is stored, its own handler records it."""
    monkeypatch.setattr("workers.jobs.inbox.inbox._MAX_WAITING", 0)
    ann, bob = await new_users(stage.database, "ann", "bob")
    photo = await ready_photo(stage.database, ann)
    await start_clean(stage, ann)
    await Inbox(stage.database, stage.notification_log).record(like_of(bob, photo))
    assert await inbox(stage, ann) == ["bob liked your photo"]
    assert kinds(await stage.deliveries(ann))[0] == "notification"
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 0


class Storm:
    """Random acts below two users' photos; their events are handled late, repeatedly, in any order and at once."""

    def __init__(self, stage: Stage, seed: int, owners: list[User], fans: list[User], photos: list[Photo]) -> None:
        self._stage = stage
        self._random = random.Random(seed)
        self._owners, self._fans, self._photos = owners, fans, photos
        # Two processes and two handlers' inboxes, each with changes that wait.
        self._workers = [self._worker() for _ in range(2)]

    def _worker(self) -> Handlers:
        stage = self._stage
        parts = (Inbox(stage.database, stage.notification_log), stage.counter_cache, stage.publisher)
        return notify_handlers(
            NotifyHandlers(stage.database, *parts),
            CommentHandlers(stage.database, *parts),
            BellHandlers(stage.database, parts[0]),
        )

    async def act(self) -> None:
        """Carry out one act; what is not possible changes nothing."""
        fan, photo = self._random.choice(self._fans), self._random.choice(self._photos)
        owner = photo.author
        acts: list[Callable[[], Awaitable[object]]] = [
            lambda: self._stage.like(fan, photo),
            lambda: self._stage.unlike(fan, photo),
            lambda: self._comment(fan, photo),
            lambda: self._mark(owner.id),
            lambda: block(self._stage.database, self._random.choice(self._owners), fan),
        ]
        try:
            await self._random.choices(acts, [10, 6, 2, 0.5, 0.2])[0]()
        except NotFoundError:
            return  # the owner has blocked the fan

    async def _comment(self, fan: User, photo: Photo) -> None:
        async with self._stage.database.transaction() as tx:
            await comments.add(tx, photo_id=photo.id, author_id=fan.id, text="x")

    async def _mark(self, user_id: int) -> None:
        async with self._stage.database.transaction() as tx:
            await inbox_lock.acquire(tx, user_id)
            await notification_marks.mark_read(tx, user_id, Selection())

    async def handle(self) -> None:
        """Handle the events of the outbox, some twice, in a random order and at once in both processes."""
        while True:
            rows = await self._stage.database.fetch("DELETE FROM outbox RETURNING queue, topic, body")
            work = [row for row in rows if row["queue"] in {"notify", "bulk"}]
            if not work:
                return
            work += self._random.sample(work, len(work) // 3)
            self._random.shuffle(work)
            free = asyncio.Semaphore(CONCURRENCY)
            await asyncio.gather(*(self._handle(row, self._random.choice(self._workers), free) for row in work))

    async def _handle(self, row: Row, worker: Handlers, free: asyncio.Semaphore) -> None:
        async with free:
            handlers = self._stage.bulk if row["queue"] == "bulk" else worker
            await handlers[row["topic"]](decode(row["topic"], row["body"]))

    async def liked(self, photo: Photo) -> tuple[list[int], list[int]]:
        """Return the users whose like the inbox shows, and those whose like it should show."""
        shown = await self._stage.database.fetch(
            "SELECT t.actor_id FROM notification_actors t JOIN notifications n ON n.id = t.notification_id "
            "WHERE n.photo_id = $1 AND n.kind = 'like' AND n.deleted_at IS NULL AND t.retracted_at IS NULL",
            photo.id,
        )
        should = await self._stage.database.fetch(
            "SELECT user_id FROM likes WHERE photo_id = $1 AND NOT EXISTS "
            "(SELECT FROM blocks WHERE owner_id = $2 AND other_id = user_id AND outgoing)",
            photo.id,
            photo.author.id,
        )
        return sorted(row["actor_id"] for row in shown), sorted(row["user_id"] for row in should)


@pytest.mark.parametrize("seed", range(2))
async def test_no_number_drifts_in_a_storm(stage: Stage, seed: int) -> None:
    """After random acts, whose events are repeated, reordered and handled at once, every like counts exactly once."""
    owners = await new_users(stage.database, "ann", "zoe")
    fans = await new_users(stage.database, *(f"fan{n}" for n in range(12)))
    photos = [await ready_photo(stage.database, owner) for owner in owners for _ in range(2)]
    storm = Storm(stage, seed, owners, fans, photos)
    for _ in range(4):
        await asyncio.gather(*(storm.act() for _ in range(60)))
        await storm.handle()
        assert await wrong_entries(stage) == 0
        for photo in photos:
            shown, should = await storm.liked(photo)
            assert shown == should
    assert await stage.database.fetchval("SELECT count(*) FROM waiting_activities") == 0
