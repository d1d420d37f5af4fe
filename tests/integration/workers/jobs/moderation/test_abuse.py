"""The worker "abuse": what the signals find in events, and what they leave alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage import ids
from storage.abuse import FindingKind
from storage.events import CommentAdded, Event, PhotoHeld, PhotoReady, UserFollowed, UserUnfollowed
from storage.limits.recent import RecentMembers
from storage.models import Photo, User
from storage.postgres.database import Database
from storage.reports import SubjectKind
from storage.stores import account_locks
from storage.stores.comments import comment_deletion, comments
from storage.stores.moderation import findings
from storage.stores.moderation.findings import RecordedFinding
from tests.support.community import new_user, new_users, ready_photo
from tests.support.locks import wait_for_blocked_transaction
from workers.errors import Retry
from workers.handlers import EventOrigin, handling
from workers.jobs.metrics import NoFindingMetrics
from workers.jobs.moderation.abuse import AbuseHandlers, signals
from workers.jobs.moderation.findings import FindingRecorder
from workers.signals.settings import SignalSettings

pytestmark = pytest.mark.engines

SPAM = "Great shot! Visit my profile for more"
MINUTE = timedelta(minutes=1)
SETTINGS = SignalSettings(repeated_comments=3, follow_churn=2, mass_follows=4, link_texts=2)


class Scene:
    """The handlers, and the time of the next event."""

    def __init__(self, database: Database, redis: Any) -> None:
        self.database = database
        self.now = datetime.now(UTC)
        found = signals(database, RecentMembers(redis), SETTINGS)
        self._handlers = AbuseHandlers(database, found, FindingRecorder(NoFindingMetrics())).handlers()

    async def handle(self, event: Event) -> None:
        """Handle an event."""
        with handling(EventOrigin(id="x", due_at=self.now)):
            await self._handlers[event.topic](event)

    async def comment(self, photo: Photo, author: User, text: str, *, times: int = 1) -> int:
        """Comment on a photo, handle the event, and return the comment's id."""
        async with self.database.transaction() as tx:
            comment, _ = await comments.add(tx, photo_id=photo.id, author_id=author.id, text=text)
        event = CommentAdded(comment_id=comment.id, photo_id=photo.id, owner_id=photo.author.id, user_id=author.id)
        for _ in range(times):
            await self.handle(event)
        return comment.id

    async def found(self, account: User) -> list[RecordedFinding]:
        """Return the findings about an account, the newest first."""
        return await findings.of_account(self.database, account.id, limit=9)

    async def cases(self) -> list[tuple[str, int, int]]:
        """Return kind, subject and account of all cases."""
        rows = await self.database.fetch("SELECT subject_kind, subject_id, owner_id FROM moderation_cases ORDER BY id")
        return [(row["subject_kind"], row["subject_id"], row["owner_id"]) for row in rows]


@pytest.fixture
def scene(database: Database, redis: Any) -> Scene:
    """A scene without acts."""
    return Scene(database, redis)


async def photos_of(scene: Scene, author: User, number: int) -> list[Photo]:
    """Return ready photos of an author."""
    return [await ready_photo(scene.database, author) for _ in range(number)]


async def test_the_same_comment_below_many_photos(scene: Scene) -> None:
    """The comment that reaches the number is a case, once a day, however often an event is handled."""
    ann, spammer = await new_users(scene.database, "ann", "spammer")
    photos = await photos_of(scene, ann, 5)
    for photo in photos[:2]:
        await scene.comment(photo, spammer, SPAM, times=3)
    assert await scene.found(spammer) == []
    comment_id = await scene.comment(photos[2], spammer, SPAM.upper() + " 🔥", times=2)
    (one,) = await scene.found(spammer)
    finding = one.finding
    assert (finding.kind, finding.subject, finding.subject_id) == (
        FindingKind.REPEATED_COMMENTS,
        SubjectKind.COMMENT,
        comment_id,
    )
    assert finding.facts == {"photos": 3, "minutes": 60}
    await scene.comment(photos[3], spammer, SPAM)
    assert len(await scene.found(spammer)) == 1
    assert await scene.cases() == [("comment", comment_id, spammer.id)]


async def test_two_comments_at_once_that_reach_the_number(scene: Scene) -> None:
    """One of them is the finding. The other one is handled again, and leaves no case without a reason."""
    ann, spammer = await new_users(scene.database, "ann", "spammer")
    photos = await photos_of(scene, ann, 4)
    for photo in photos[:2]:
        await scene.comment(photo, spammer, SPAM)
    comment_ids = [await scene.comment(photo, spammer, SPAM, times=0) for photo in photos[2:]]
    events = [
        CommentAdded(comment_id=comment_id, photo_id=photo.id, owner_id=ann.id, user_id=spammer.id)
        for comment_id, photo in zip(comment_ids, photos[2:], strict=True)
    ]
    async with scene.database.transaction() as tx:
        await account_locks.lock(tx, [spammer.id])
        at_once = [asyncio.create_task(scene.handle(event)) for event in events]
        await wait_for_blocked_transaction(scene.database, len(events))
    outcomes = await asyncio.gather(*at_once, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Retry]
    for event in events:
        await scene.handle(event)
    (one,) = await scene.found(spammer)
    assert await scene.cases() == [("comment", one.finding.subject_id, spammer.id)]


async def test_comments_that_are_no_spam(scene: Scene) -> None:
    """Other texts, short praise, one photo, one's own photos, a slow pace, and deleted comments are left alone."""
    ann, ben = await new_users(scene.database, "ann", "ben")
    photos, own = await photos_of(scene, ann, 4), await photos_of(scene, ben, 4)
    for number, photo in enumerate(photos):
        await scene.comment(photo, ben, f"This is comment number {number * 7} about it")
        await scene.comment(photo, ben, "Beautiful!")
        await scene.comment(photos[0], ben, "I have said this before, have I not?")
    for photo in own:
        await scene.comment(photo, ben, "Thank you all for your kind words")
    for photo in photos:
        await scene.comment(photo, ben, SPAM)
        scene.now += 31 * MINUTE
    async with scene.database.transaction() as tx:
        comment, _ = await comments.add(tx, photo_id=photos[0].id, author_id=ben.id, text=SPAM)
        await comment_deletion.delete(tx, comment.id, user_id=ben.id)
    await scene.handle(CommentAdded(comment_id=comment.id, photo_id=photos[0].id, owner_id=ann.id, user_id=ben.id))
    assert await scene.found(ben) == []


async def test_accounts_that_are_followed_and_dropped(scene: Scene) -> None:
    """Those that were followed within the day count, each once; the case is about the account."""
    ben = await new_user(scene.database, "ben")
    others = await new_users(scene.database, "ann", "cal", "dan")
    old = others.pop()
    await scene.handle(UserUnfollowed(follower_id=ben.id, followee_id=old.id))
    for other in others:
        await scene.handle(UserFollowed(follower_id=ben.id, followee_id=other.id))
    for _ in range(3):
        await scene.handle(UserUnfollowed(follower_id=ben.id, followee_id=others[0].id))
    assert await scene.found(ben) == []
    await scene.handle(UserUnfollowed(follower_id=ben.id, followee_id=others[1].id))
    (one,) = await scene.found(ben)
    assert (one.finding.kind, one.finding.rule) == (FindingKind.FOLLOW_CHURN, "follow_churn")
    assert (one.finding.subject_id, one.finding.facts) == (ben.id, {"accounts": 2, "hours": 24})
    assert await scene.cases() == [("user", ben.id, ben.id)]


async def test_a_follow_that_is_dropped_later_is_no_churn(scene: Scene) -> None:
    """After a day, an unfollow is an ordinary one."""
    ben = await new_user(scene.database, "ben")
    others = await new_users(scene.database, "ann", "cal", "dan")
    for other in others:
        await scene.handle(UserFollowed(follower_id=ben.id, followee_id=other.id))
    scene.now += timedelta(days=1, minutes=1)
    for other in others:
        await scene.handle(UserUnfollowed(follower_id=ben.id, followee_id=other.id))
    assert await scene.found(ben) == []


async def test_very_many_follows(scene: Scene) -> None:
    """Requests count, accepted ones not again, and neither does the same account twice."""
    ben = await new_user(scene.database, "ben")
    others = await new_users(scene.database, "ann", "cal", "dan", "eve")
    for other in others[:3]:
        await scene.handle(UserFollowed(follower_id=ben.id, followee_id=other.id, requested=True))
        await scene.handle(UserFollowed(follower_id=ben.id, followee_id=other.id, requested=True))
    await scene.handle(UserFollowed(follower_id=ben.id, followee_id=others[3].id, accepted=True))
    assert await scene.found(ben) == []
    await scene.handle(UserFollowed(follower_id=ben.id, followee_id=others[3].id))
    (one,) = await scene.found(ben)
    assert (one.finding.rule, one.finding.facts["accounts"]) == ("mass_follows", 4)


async def test_links_of_a_new_account(scene: Scene) -> None:
    """Comments and captions count together; the case is about the one that reaches the number."""
    ann, ben = await new_users(scene.database, "ann", "ben")
    (photo,) = await photos_of(scene, ann, 1)
    own = await ready_photo(scene.database, ben, caption="More at www.example.com/ben")
    await scene.handle(PhotoReady(photo_id=own.id, author_id=ben.id))
    await scene.handle(PhotoReady(photo_id=own.id, author_id=ben.id))
    await scene.comment(photo, ben, "without a link")
    assert await scene.found(ben) == []
    comment_id = await scene.comment(photo, ben, "look at https://example.com/buy")
    (one,) = await scene.found(ben)
    assert (one.finding.kind, one.finding.subject_id) == (FindingKind.LINK_SPAM, comment_id)
    assert one.finding.facts == {"texts": 2, "links": 1, "minutes": 60}


async def test_many_links_in_one_text(scene: Scene) -> None:
    """Five links are enough, also in a photo that moderation holds."""
    ben = await new_user(scene.database, "ben")
    caption = " ".join(f"https://example.com/{number}" for number in range(5))
    photo = await ready_photo(scene.database, ben, caption=caption)
    await scene.handle(PhotoHeld(photo_id=photo.id, author_id=ben.id))
    (one,) = await scene.found(ben)
    assert (one.finding.subject, one.finding.subject_id, one.finding.facts["links"]) == (SubjectKind.PHOTO, photo.id, 5)


async def test_links_of_other_accounts(scene: Scene) -> None:
    """An account that is not new may link as it likes."""
    ann, ben = await new_users(scene.database, "ann", "ben")
    photos = await photos_of(scene, ann, 4)
    await photos_of(scene, ben, 3)
    scene.now = datetime.fromtimestamp(ids.milliseconds_of(ben.id) / 1000, UTC) + timedelta(hours=25)
    for photo in photos:
        await scene.comment(photo, ben, f"look at https://example.com/{photo.id}")
    assert await scene.found(ben) == []
