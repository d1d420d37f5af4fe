"""Cards in Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from storage.cache.cards import CHANGING_TTL, Cards, card_key
from storage.postgres.database import Database
from storage.render.photo import assemble
from storage.stores.photos import photo_edits, photo_processing, photos
from tests.support.driver_commands import commands
from tests.support.eventually import eventually
from tests.support.gallery import Gallery

pytestmark = pytest.mark.engines


@pytest.fixture
def gallery(database: Database) -> Gallery:
    """Users and photos."""
    return Gallery(database)


@pytest.fixture
def cards(database: Database, redis: Any) -> Cards:
    """Cards."""
    return Cards(database, redis)


def caption(card: bytes) -> str:
    """Return the caption in a card."""
    caption: str = json.loads(assemble(card, likes=0, comments=0, liked=False, sign=None))["caption"]
    return caption


async def edit(database: Database, photo: int, author: int, text: str) -> None:
    """Change a caption in the database."""
    async with database.transaction() as tx:
        await photo_edits.edit(tx, photo, author_id=author, caption=text)


@pytest.mark.cluster
async def test_cards_are_loaded_and_kept(cards: Cards, gallery: Gallery, redis: Any) -> None:
    """Cards are built at the first read and stored; photos that are not ready or do not exist have none."""
    ann = await gallery.user()
    photo, draft = await gallery.photo(ann, "sunset"), await gallery.photo(ann, ready=False)
    for _ in range(2):
        assert {key: caption(card) for key, card in (await cards.get([photo, draft, 5])).items()} == {photo: "sunset"}
    assert await commands(redis).get(card_key(photo)) == (await cards.get([photo]))[photo]
    assert [await commands(redis).get(card_key(photo_id)) for photo_id in (draft, 5)] == [b"~", b"-"]
    assert await cards.get([]) == {}


async def test_one_load_for_all(cards: Cards, gallery: Gallery, database: Database, redis: Any) -> None:
    """Concurrent readers of a missing card cause one query; a cancelled one does not affect the others."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    waiting = Waiting(database)
    cards = Cards(waiting, redis)
    asking = [asyncio.create_task(cards.get([photo])) for _ in range(10)]
    await eventually(lambda: waiting.queries)
    asking[0].cancel()
    waiting.replies.set()
    replies = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(replies[0], asyncio.CancelledError)
    assert all(isinstance(reply, dict) and photo in reply for reply in replies[1:])
    assert waiting.queries == 1


async def test_photo_appears_when_ready(cards: Cards, gallery: Gallery, database: Database) -> None:
    """A photo that was read before it was ready has its card as soon as it is refreshed."""
    ann = await gallery.user()
    photo = await gallery.photo(ann, ready=False)
    assert await cards.get([photo]) == {}
    async with database.transaction() as tx:
        await photo_processing.mark_ready(tx, photo, width=1, height=1, placeholder=None, exif=None)
    await cards.refresh(photo)
    assert photo in await cards.get([photo])


async def test_deleted_photo_never_returns(cards: Cards, gallery: Gallery, redis: Any) -> None:
    """After the tombstone neither a slow reader nor a refresh nor a change brings the photo back."""
    ann = await gallery.user()
    photo = await gallery.photo(ann)
    await cards.tombstone(photo)
    assert await cards.is_withdrawn(photo)
    await cards.load([photo])
    await cards.refresh(photo)
    await cards.invalidate([photo])
    assert await cards.get([photo]) == {}
    assert await commands(redis).get(card_key(photo)) == b"-"


async def test_change_shows_at_once(cards: Cards, gallery: Gallery, database: Database, redis: Any) -> None:
    """After an edit no reader gets the old card, not even from a load that began before the edit."""
    ann = await gallery.user()
    photo = await gallery.photo(ann, "before")
    slow_reader = dict(await photos.load(database, [photo]))
    await cards.get([photo])
    await edit(database, photo, ann, "after")
    await cards.invalidate([photo])
    await cards._store([(photo, slow_reader[photo])], "load")
    await cards._store([(photo, slow_reader[photo])], "refresh")
    assert caption((await cards.get([photo]))[photo]) == "after"
    await commands(redis).delete(card_key(photo))  # as when the mark's five seconds are over
    assert caption((await cards.get([photo]))[photo]) == "after"
    assert len(await commands(redis).get(card_key(photo))) > 1


async def test_mark_of_a_change_when_the_clock_steps_back(cards: Cards, gallery: Gallery, redis: Any) -> None:
    """The mark of a change lasts five seconds from the next read at most, whatever Redis' clock did meanwhile."""
    ann = await gallery.user()
    photo = await gallery.photo(ann, "sunset")
    await cards.invalidate([photo])
    assert 0 < await commands(redis).pttl(card_key(photo)) <= CHANGING_TTL
    await commands(redis).pexpire(card_key(photo), 3_600_000)
    for read in (lambda: cards.get([photo]), lambda: cards.refresh(photo)):
        await read()
        assert 0 < await commands(redis).pttl(card_key(photo)) <= CHANGING_TTL
        assert await commands(redis).get(card_key(photo)) == b"?"
        await commands(redis).pexpire(card_key(photo), 3_600_000)


class Waiting:
    """A database that counts queries, and answers when it is let."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.replies = asyncio.Event()
        self.queries = 0

    async def fetch(self, sql: str, *args: object) -> Any:
        """Count, wait and pass on."""
        self.queries += 1
        await self.replies.wait()
        return await self._database.fetch(sql, *args)

    fetchrow = fetchval = fetch
