"""Decisions about photos in the database: the photo's state, its author's counter, its tags, and the events."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import NotFoundError
from storage.models import Photo, PhotoAudience, PhotoState
from storage.moderation import Decider, ModerationAction
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.media import contents
from storage.stores.photos import (
    counter_drift,
    photo_audience,
    photo_deletion,
    photo_lists,
    photo_moderation,
    photo_processing,
    photos,
)
from tests.support.community import new_user, processing_photo, ready_photo, ready_post, topics
from tests.support.moderation import ALLOW, HIDE, HOLD, SENSITIVE, decide, decision

pytestmark = pytest.mark.engines

SERVICE, AUTOMATIC = Decider.SERVICE, Decider.AUTOMATIC


async def _forget_events(database: Database) -> None:
    await database.fetch("DELETE FROM outbox")


async def _photo(database: Database, photo: Photo) -> Photo:
    return (await photos.load(database, [photo.id]))[photo.id]


async def _finish(database: Database, photo: Photo) -> bool:
    async with database.transaction() as tx:
        return await photo_processing.mark_ready(tx, photo.id, width=640, height=480, placeholder=None, exif=None)


async def _ready_count(database: Database, photo: Photo) -> int:
    return (await users.get(database, photo.author.id)).photos


async def test_hide_and_restore(database: Database) -> None:
    """A hidden photo is in no list, and not counted; restored, it is as before. Each decision emits its events once."""
    ann = await new_user(database, "ann")
    photo = await ready_post(database, ann, "one", "two", tags=["sea"])
    await _forget_events(database)
    await database.fetch("DELETE FROM tag_recounts")
    decided = await decide(database, photo, HIDE, reason="not here")
    assert (decided.state, decided.changed) == (PhotoState.HIDDEN, True)
    assert await topics(database) == ["photo.hidden", "media.purge"]
    assert [row["tag"] for row in await database.fetch("SELECT tag FROM tag_recounts")] == ["sea"]
    hidden = await _photo(database, photo)
    assert hidden.state is PhotoState.HIDDEN
    assert hidden.moderation is not None
    assert (hidden.moderation.reason, hidden.moderation.by) == ("not here", Decider.MODERATOR)
    assert await _ready_count(database, photo) == 0
    assert await photo_lists.newest(database, viewer_id=None, before=None, limit=5) == []
    with pytest.raises(NotFoundError):
        await photos.get(database, photo.id, viewer_id=None)
    assert (await photos.get(database, photo.id, viewer_id=ann.id)).items

    await _forget_events(database)
    assert not (await decide(database, photo, HIDE, reason="not here")).changed
    assert await topics(database) == []
    assert (await decide(database, photo, ALLOW)).state is PhotoState.READY
    assert await topics(database) == ["photo.restored"]
    assert await _ready_count(database, photo) == 1
    assert len(await photo_lists.newest(database, viewer_id=None, before=None, limit=5)) == 1
    assert [row["tag"] for row in await database.fetch("SELECT tag FROM tag_recounts")] == ["sea"]


async def test_signed_urls_of_a_hidden_photo_show_nothing(database: Database) -> None:
    """Nothing that is withheld keeps an original shown, in each picture; another photo with the same one does."""
    ann = await new_user(database, "ann")
    photo = await ready_post(database, ann, "one", "two")
    originals = [picture.sha256 for picture in (await _photo(database, photo)).items]
    assert [await contents.is_shown(database, sha256) for sha256 in originals] == [True, True]
    await decide(database, photo, HIDE)
    assert [await contents.is_shown(database, sha256) for sha256 in originals] == [False, False]
    assert [await contents.is_referenced(database, sha256) for sha256 in originals] == [True, True]
    await database.fetch(
        "UPDATE photos SET sha256 = $1 WHERE id = $2", originals[1], (await ready_photo(database, ann)).id
    )
    assert [await contents.is_shown(database, sha256) for sha256 in originals] == [False, True]


async def test_the_purge_names_all_pictures(database: Database) -> None:
    """The images of all pictures of a hidden photo are purged."""
    photo = await ready_post(database, await new_user(database, "ann"), "one", "two")
    await _forget_events(database)
    await decide(database, photo, HIDE)
    (row,) = await database.fetch("SELECT body FROM outbox WHERE topic = 'media.purge'")
    found = await _photo(database, photo)
    assert all(picture.sha256.encode() in row["body"] for picture in found.items)


async def test_a_photo_that_is_hidden_while_it_is_processed(database: Database) -> None:
    """It becomes hidden instead of ready; restored, it is new to everyone. Its author is notified at once."""
    ann = await new_user(database, "ann")
    photo = await processing_photo(database, ann)
    await _forget_events(database)
    assert (await decide(database, photo, HIDE)).state is PhotoState.PROCESSING
    assert await topics(database) == ["photo.hidden"]
    await _forget_events(database)
    assert await _finish(database, photo)
    assert await topics(database) == ["photo.held"]
    assert (await _photo(database, photo)).state is PhotoState.HIDDEN
    assert await _ready_count(database, photo) == 0
    await _forget_events(database)
    await decide(database, photo, ALLOW)
    assert await topics(database) == ["photo.ready"]
    assert await _ready_count(database, photo) == 1
    # From now on it is known, and another restoration returns it to where it was.
    await decide(database, photo, HIDE)
    await _forget_events(database)
    await decide(database, photo, ALLOW)
    assert await topics(database) == ["photo.restored"]


async def test_a_photo_that_is_allowed_while_it_is_processed(database: Database) -> None:
    """A verdict during processing ends a hold, so that the photo becomes ready."""
    photo = await processing_photo(database, await new_user(database, "ann"))
    await _forget_events(database)
    await decide(database, photo, HOLD, AUTOMATIC, source="new")
    await decide(database, photo, ALLOW, SERVICE, source="7")
    assert await topics(database) == []
    assert await _finish(database, photo)
    assert (await _photo(database, photo)).state is PhotoState.READY
    assert "photo.ready" in await topics(database)


async def test_the_time_of_a_hold_begins_with_the_images(database: Database) -> None:
    """The time that processing takes is not taken from the time for a verdict."""
    photo = await processing_photo(database, await new_user(database, "ann"))
    await decide(database, photo, HOLD, AUTOMATIC, source="new", minutes=10)
    await database.fetch(
        "UPDATE photo_moderation SET decided_at = decided_at - interval '1 hour', until = until - interval '1 hour'"
    )
    assert await photo_moderation.expired_holds(database, limit=5) == [(photo.id, "new")]
    await _finish(database, photo)
    assert await photo_moderation.expired_holds(database, limit=5) == []
    (held,) = await photo_moderation.history(database, photo.id)
    assert held.until is not None
    assert timedelta(minutes=9) < held.until - datetime.now(UTC) <= timedelta(minutes=10)


async def test_a_rejected_photo_stays_rejected(database: Database) -> None:
    """What has no images is not hidden, and its author is not notified of it."""
    photo = await processing_photo(database, await new_user(database, "ann"))
    async with database.transaction() as tx:
        await photo_processing.mark_rejected(tx, photo.id, reason="empty")
    await _forget_events(database)
    for action in (HIDE, ALLOW):
        assert (await decide(database, photo, action)).state is PhotoState.REJECTED
    assert await topics(database) == []
    assert await _ready_count(database, photo) == 0


async def test_sensitive(database: Database) -> None:
    """A sensitive photo is shown with its mark, and each change of the mark is announced."""
    photo = await ready_photo(database, await new_user(database, "ann"))
    await _forget_events(database)
    for action, marked, expected in ((SENSITIVE, True, ["photo.marked"]), (ALLOW, False, ["photo.marked"])):
        await decide(database, photo, action)
        assert (await photos.get(database, photo.id, viewer_id=None)).sensitive is marked
        assert await topics(database) == expected
        await _forget_events(database)
    await decide(database, photo, HIDE)
    await _forget_events(database)
    await decide(database, photo, SENSITIVE)
    assert await topics(database) == ["photo.restored"]
    assert (await _photo(database, photo)).sensitive


async def test_a_deleted_photo(database: Database) -> None:
    """About a deleted photo, or one of a deleted account, nothing is decided; a hidden one is not counted twice."""
    ann = await new_user(database, "ann")
    photo, other = await ready_photo(database, ann), await ready_photo(database, ann)
    await decide(database, photo, HIDE)
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await _ready_count(database, photo) == 1
    with pytest.raises(NotFoundError, match="photo"):
        await decide(database, photo, ALLOW)
    assert await _ready_count(database, photo) == 1
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    with pytest.raises(NotFoundError, match="photo"):
        await decide(database, other, HIDE)


async def test_an_audience_that_changes_while_the_photo_is_hidden(database: Database) -> None:
    """The counter follows the audience at the moment of the restoration."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann)
    for audience, expected in ((PhotoAudience.ONLY_ME, 0), (PhotoAudience.FOLLOWERS, 1)):
        await decide(database, photo, HIDE)
        async with database.transaction() as tx:
            await photo_audience.change(tx, photo.id, author_id=ann.id, audience=audience)
        assert await _ready_count(database, photo) == 0
        await decide(database, photo, ALLOW)
        assert await _ready_count(database, photo) == expected


async def test_contradictory_decisions_in_any_order_end_the_same(database: Database) -> None:
    """Whatever the order in which sources decide, and how often, photo, counter and events are consistent."""
    ann = await new_user(database, "ann")
    made = [
        (HOLD, AUTOMATIC, "new"),
        (ALLOW, SERVICE, "1"),
        (SENSITIVE, SERVICE, "2"),
        (HIDE, SERVICE, "3"),
    ]
    states = set()
    for order in itertools.permutations(made):
        photo = await ready_photo(database, ann)
        for action, by, source in order:
            await decide(database, photo, action, by, source=source)
        found = await _photo(database, photo)
        assert found.moderation is not None
        states.add((found.state, found.moderation.action, found.moderation.source))
    assert states == {(PhotoState.HIDDEN, HIDE, "3")}
    assert await _ready_count(database, photo) == 0
    await decide(database, photo, ALLOW)
    assert (await _photo(database, photo)).state is PhotoState.READY


async def test_random_decisions_keep_the_invariants(database: Database) -> None:
    """After each of many random decisions the state, the counter and the stored decisions agree with the rule."""
    ann = await new_user(database, "ann")
    chance = random.Random(7)
    pictures = [await ready_photo(database, ann) for _ in range(3)]
    for _ in range(120):
        photo = chance.choice(pictures)
        by = chance.choice(list(Decider))
        source = "" if by is Decider.MODERATOR else chance.choice("12")
        await decide(database, photo, chance.choice(list(ModerationAction)), by, source=source)
        found = {each.id: await _photo(database, each) for each in pictures}
        for each in found.values():
            withheld = each.moderation is not None and each.moderation.withholds
            assert each.state is (PhotoState.HIDDEN if withheld else PhotoState.READY)
        shown = [each for each in found.values() if each.state is PhotoState.READY]
        assert await _ready_count(database, photo) == len(shown)
    checked = await counter_drift.check_accounts(database, after=0, limit=10)
    assert checked.wrong == []


async def test_the_latest_decision_of_each_source(database: Database) -> None:
    """A source that decides again replaces its decision; others keep theirs."""
    photo = await ready_photo(database, await new_user(database, "ann"))
    await decide(database, photo, HIDE, SERVICE, source="7", reason="first", labels={"nudity": 0.9})
    await decide(database, photo, ALLOW, SERVICE, source="7", reason="second")
    await decide(database, photo, SENSITIVE, reason="by a moderator")
    history = await photo_moderation.history(database, photo.id)
    assert [(each.by, each.action, each.reason) for each in history] == [
        (Decider.MODERATOR, SENSITIVE, "by a moderator"),
        (SERVICE, ALLOW, "second"),
    ]
    given = await photo_moderation.given(database, photo.id, by=SERVICE, source="7")
    assert given is not None
    assert (given.action, given.labels) == (ALLOW, {})
    assert await photo_moderation.given(database, photo.id, by=SERVICE, source="8") is None
    (row,) = await database.fetch("SELECT version FROM photo_moderation WHERE decided_by = 'service'")
    assert row["version"] == 2


async def test_concurrent_decisions_of_two_services(database: Database) -> None:
    """Two services that decide at the same moment wait for each other, and the stricter decision applies."""
    photo = await ready_photo(database, await new_user(database, "ann"))
    async with database.transaction() as first:
        await photo_moderation.decide(first, photo.id, decision(HIDE, SERVICE, source="1"))
        async with database.transaction() as probe:
            locked = await probe.fetch("SELECT 1 FROM photos WHERE id = $1 FOR UPDATE SKIP LOCKED", photo.id)
            assert locked == [], "the photo is locked until the decision is committed"
    await decide(database, photo, ALLOW, SERVICE, source="2")
    assert (await _photo(database, photo)).state is PhotoState.HIDDEN
