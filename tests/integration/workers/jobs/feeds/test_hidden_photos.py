"""Hidden and restored photos: feeds, live connections, stars, notifications, and decisions that overtake each other."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import events
from storage.events import PhotoHidden, PhotoRestored
from storage.ids import encode
from storage.models import Photo, PhotoAudience, User
from storage.moderation import Decider, ModerationAction
from storage.stores.accounts import account_fields
from storage.stores.photos import photo_audience, photo_deletion, photo_processing
from storage.stores.social import close_friends, follows
from tests.support import moderation
from tests.support.community import follow, new_user, new_users, processing_photo, ready_photo
from tests.support.moderation import ALLOW, HIDE, HOLD, SENSITIVE
from tests.support.stage import Stage, inbox

pytestmark = pytest.mark.engines


@pytest.fixture
async def stage(database: Any, redis: Any) -> AsyncIterator[Stage]:
    """The workers, for which three followers make a star; chunks have two."""
    stage = Stage(database, redis, chunk=2, star_followers=1000)
    await stage.open()
    yield stage
    await stage.close()


async def decide(stage: Stage, photo: Photo, action: ModerationAction, **fields: Any) -> None:
    """Store a decision, as the use case does."""
    await moderation.decide(stage.database, photo, action, **fields)
    await stage.cards.invalidate([photo.id])


async def community(stage: Stage) -> list[User]:
    """Return an author, four followers, of whom the first is a close friend, and a stranger; all with feeds."""
    ann, *followers, stranger = people = await new_users(stage.database, "ann", "bob", "cal", "dan", "eve", "fay")
    async with stage.database.transaction() as tx:
        for follower in followers:
            await follows.follow(tx, follower.id, ann.id)
        await close_friends.add(tx, ann.id, followers[0].id)
    await stage.pump()
    await stage.online(*people)
    for reader in people:
        await stage.feed(reader)
    await forget(stage)
    assert stranger.username == "fay"
    return people


async def forget(stage: Stage) -> None:
    """Drop the publications so far."""
    await stage.deliveries()
    await stage.topic_publications()


async def published(stage: Stage, kind: str) -> set[str]:
    """Return the ids of the users who received a publication of a type in their feeds."""
    return {encode(each.user_id) for each in await stage.deliveries() if each.document["type"] == kind}


async def holders(stage: Stage, people: list[User], photo: Photo) -> list[User]:
    """Return the users who have a photo in their feeds."""
    return [user for user in people if photo.id in await stage.feed(user)]


async def texts(stage: Stage, owner: User) -> list[str]:
    """Return the sentences of an inbox, without that about new followers."""
    return [text for text in await inbox(stage, owner) if "following" not in text]


def ids_of(people: list[User]) -> set[str]:
    """Return the ids of users as text."""
    return {encode(user.id) for user in people}


@pytest.mark.parametrize("audience", list(PhotoAudience))
async def test_a_photo_leaves_and_returns(stage: Stage, audience: PhotoAudience) -> None:
    """A hidden photo leaves the feeds of exactly those who had it, and returns to them at its place."""
    people = await community(stage)
    older = await ready_photo(stage.database, people[0], audience=audience)
    photo = await ready_photo(stage.database, people[0], audience=audience)
    newer = await ready_photo(stage.database, people[0], audience=audience)
    await stage.pump()
    await forget(stage)
    readers = await holders(stage, people, photo)
    assert len(readers) == {"public": 5, "followers": 5, "close_friends": 2, "only_me": 1}[audience]
    for _ in range(2):
        await decide(stage, photo, HIDE, reason="not here")
        await stage.pump()
        assert await published(stage, "photo.removed") == ids_of(readers)
        for user in readers:
            assert await stage.feed(user) == [newer.id, older.id]
        topics = await stage.topic_publications()
        profile, page = f"user:{encode(people[0].id)}", f"photo:{encode(photo.id)}"
        removed = {"type": "photo.removed", "photo_id": encode(photo.id)}
        assert ((profile, removed) in topics) is (audience is PhotoAudience.PUBLIC)
        assert [document for topic, document in topics if topic == page] == [removed, None]

        await decide(stage, photo, ALLOW)
        await stage.pump()
        assert await published(stage, "photo.new") == ids_of(readers)
        for user in readers:
            assert await stage.feed(user) == [newer.id, photo.id, older.id]
        shown = [document["type"] for topic, document in await stage.topic_publications() if topic == profile]
        assert shown == ["photo.new"] * (audience is PhotoAudience.PUBLIC)


async def test_no_follower_is_notified(stage: Stage) -> None:
    """The author is notified of a decision, with its reason, and of no other; restored, the notification is gone."""
    ann, bob, *_ = await community(stage)
    photo = await ready_photo(stage.database, ann, caption="with @bob")
    await stage.pump()
    mention = "ann mentioned you in a caption"
    assert await texts(stage, bob) == [mention]
    for action, text in (
        (HIDE, "Your photo was hidden from others: not here"),
        (SENSITIVE, "Your photo was marked as sensitive: not here"),
        (HIDE, "Your photo was hidden from others: not here"),
    ):
        await decide(stage, photo, action, reason="not here")
        await stage.pump()
        await stage.pump()
        assert await texts(stage, ann) == [text]
        assert await texts(stage, bob) == ([] if action is HIDE else [mention])
    await stage.deliveries()
    await decide(stage, photo, ALLOW)
    await stage.pump()
    assert await texts(stage, ann) == []
    assert await texts(stage, bob) == [mention]
    streams = [each.document["type"] for each in await stage.deliveries(bob)]
    assert sorted(streams) == ["notification.changed", "photo.new"], "nothing is announced"
    await decide(stage, photo, HIDE, reason="again")
    await stage.pump()
    assert await texts(stage, ann) == ["Your photo was hidden from others: again"]
    assert "notification" in [each.document["type"] for each in await stage.deliveries(ann)]


async def test_a_held_photo_is_announced_once_it_is_shown(stage: Stage) -> None:
    """A photo that is held from its upload on reaches no one, and then everyone as any new photo."""
    people = await community(stage)
    photo = await processing_photo(stage.database, people[0], caption="with @bob")
    await decide(stage, photo, HOLD, by=Decider.AUTOMATIC, source="new")
    async with stage.database.transaction() as tx:
        await photo_processing.mark_ready(tx, photo.id, width=640, height=480, placeholder=None, exif=None)
    await stage.pump()
    assert await stage.deliveries() == []
    assert await texts(stage, people[0]) == []
    await decide(stage, photo, ALLOW, by=Decider.SERVICE, source="7")
    await stage.pump()
    assert await published(stage, "photo.new") == ids_of(people[:5])
    assert await texts(stage, people[1]) == ["ann mentioned you in a caption"]
    assert await texts(stage, people[0]) == []


async def test_a_sensitive_photo_is_marked_where_it_is_open(stage: Stage) -> None:
    """The mark is published on the photo's topic, and is in its card."""
    ann, *_ = await community(stage)
    photo = await ready_photo(stage.database, ann)
    await stage.pump()
    await forget(stage)
    for action, marked in ((SENSITIVE, True), (ALLOW, False)):
        await decide(stage, photo, action)
        await stage.pump()
        ((topic, document),) = await stage.topic_publications()
        assert (topic, document["type"], document["sensitive"]) == (f"photo:{encode(photo.id)}", "photo.edited", marked)
        assert (b'"sensitive":true' in (await stage.cards.get([photo.id]))[photo.id]) is marked


@pytest.mark.parametrize("audience", [PhotoAudience.ONLY_ME, PhotoAudience.CLOSE_FRIENDS])
async def test_a_photo_that_is_narrowed_and_hidden_before_a_worker_sees_it(
    stage: Stage, audience: PhotoAudience
) -> None:
    """The photo leaves all feeds, in either order, and is restored for its audience by then."""
    people = await community(stage)

    async def narrow(photo: Photo) -> None:
        async with stage.database.transaction() as tx:
            await photo_audience.change(tx, photo.id, author_id=people[0].id, audience=audience)
        await stage.cards.invalidate([photo.id])

    async def hide(photo: Photo) -> None:
        await decide(stage, photo, HIDE)

    for steps in itertools.permutations((narrow, hide)):
        photo = await ready_photo(stage.database, people[0])
        await stage.pump()
        await forget(stage)
        for step in steps:
            await step(photo)
        await stage.pump()
        assert await published(stage, "photo.removed") == ids_of(people[:5])
        assert await holders(stage, people, photo) == []
        profile = f"user:{encode(people[0].id)}"
        assert "photo.removed" in [
            document["type"] for topic, document in await stage.topic_publications() if topic == profile
        ]
        await decide(stage, photo, ALLOW)
        await stage.pump()
        expected = people[:1] if audience is PhotoAudience.ONLY_ME else people[:2]
        assert await holders(stage, people, photo) == expected
        assert profile not in [topic for topic, _ in await stage.topic_publications()]


async def test_a_photo_that_is_hidden_and_deleted_before_a_worker_sees_it(stage: Stage) -> None:
    """The deletion withdraws the photo; a late restoration does not bring it back."""
    people = await community(stage)
    photo = await ready_photo(stage.database, people[0])
    await stage.pump()
    await forget(stage)
    await decide(stage, photo, HIDE)
    async with stage.database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=people[0].id)
    await stage.cards.tombstone(photo.id)
    await stage.pump()
    assert await published(stage, "photo.removed") == ids_of(people[:5])
    await stage.fanout.handlers()["photo.restored"](PhotoRestored(photo_id=photo.id, author_id=people[0].id))
    assert await holders(stage, people, photo) == []
    assert await texts(stage, people[0]) == []


async def test_decisions_that_are_handled_in_any_order(stage: Stage) -> None:
    """Events that are late, repeated and out of order leave the photo in feeds if it is shown, and else in none."""
    people = await community(stage)
    handlers = stage.fanout.handlers()
    for last in (HIDE, ALLOW):
        photo = await ready_photo(stage.database, people[0])
        await stage.pump()
        for action in (HIDE, ALLOW, HIDE, *([ALLOW] if last is ALLOW else [])):
            await decide(stage, photo, action)
        rows = await stage.database.fetch("SELECT topic, body FROM outbox WHERE queue = 'fanout' ORDER BY id DESC")
        for row in [*rows, *rows]:
            await handlers[row["topic"]](events.decode(row["topic"], row["body"]))
        await stage.pump()
        assert await holders(stage, people, photo) == (people[:5] if last is ALLOW else [])


async def test_a_restoration_that_overtakes_the_hiding(stage: Stage) -> None:
    """A photo that is restored while it is being removed from feeds is in all of them in the end; and the reverse."""
    people = await community(stage)
    photo = await ready_photo(stage.database, people[0])
    await stage.pump()
    handlers = stage.fanout.handlers()
    subject = {"photo_id": photo.id, "author_id": people[0].id}
    # The decision that is committed in the middle: after the handler has looked, before it changes the feeds.
    change = stage.feeds.log

    class Overtaken:
        def __init__(self, action: ModerationAction) -> None:
            self.action: ModerationAction | None = action

        async def before(self) -> None:
            if self.action is not None:
                action, self.action = self.action, None
                await decide(stage, photo, action)

    for action, event in (
        (HIDE, PhotoHidden(**subject, published=True, audience="public")),
        (ALLOW, PhotoRestored(**subject)),
    ):
        await decide(stage, photo, action)
        overtaken = Overtaken(ALLOW if action is HIDE else HIDE)
        original_remove, original_insert = change.remove, change.insert

        async def remove(*args: Any, _do: Any = original_remove, _over: Overtaken = overtaken, **kw: Any) -> Any:
            await _over.before()
            return await _do(*args, **kw)

        async def insert(*args: Any, _do: Any = original_insert, _over: Overtaken = overtaken, **kw: Any) -> Any:
            await _over.before()
            return await _do(*args, **kw)

        change.remove, change.insert = remove, insert  # type: ignore[method-assign]
        try:
            await handlers[event.topic](event)
        finally:
            change.remove, change.insert = original_remove, original_insert  # type: ignore[method-assign]
        assert overtaken.action is None
        await stage.database.fetch("DELETE FROM outbox WHERE topic <> 'fanout.chunk'")
        await stage.pump()
        assert await holders(stage, people, photo) == (people[:5] if action is HIDE else [])
        if action is HIDE:
            await decide(stage, photo, HIDE)
            await stage.pump()


async def test_an_account_that_became_private_meanwhile(stage: Stage) -> None:
    """A photo that is restored after its account became private has signed URLs."""
    people = await community(stage)
    photo = await ready_photo(stage.database, people[0])
    await stage.pump()
    await decide(stage, photo, HIDE)
    await stage.pump()
    async with stage.database.transaction() as tx:
        await account_fields.update(tx, people[0].id, private=True)
    await stage.pump()
    await forget(stage)
    await decide(stage, photo, ALLOW)
    await stage.pump()
    documents = [each.document for each in await stage.deliveries(people[1]) if each.document["type"] == "photo.new"]
    assert [document["photo"]["urls"]["feed"].partition("?")[2] for document in documents] == ["signed"]


async def test_the_photo_of_a_star(database: Any, redis: Any) -> None:
    """A star's photo leaves and returns by announcements, also for feeds that pull both, one, or none of them."""
    stage = Stage(database, redis, chunk=2, star_followers=3)
    await stage.open()
    try:
        star = await new_user(database, "ann")
        fans = await new_users(database, *(f"fan{number}" for number in range(4)))
        for fan in fans:
            await follow(database, fan, star)
        await stage.pump()
        await stage.online(star, *fans)
        await ready_photo(database, star)
        await stage.pump()
        photo = await ready_photo(database, star)
        await stage.pump()
        assert await holders(stage, fans[:2], photo) == fans[:2]
        await stage.deliveries()
        stage.seen.clear()
        await decide(stage, photo, HIDE)
        await stage.pump()
        # One feed has pulled the photo and its removal, one only the photo, the others nothing.
        assert photo.id not in await stage.feed(fans[0])
        await decide(stage, photo, ALLOW)
        await stage.pump()
        assert "fanout.chunk" not in stage.seen, "no feed of a follower is changed"
        assert await holders(stage, fans, photo) == fans
        await decide(stage, photo, HIDE)
        await stage.pump()
        assert await holders(stage, fans, photo) == []
    finally:
        await stage.close()
