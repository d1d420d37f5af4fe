"""Lists of known images in a real database."""

from __future__ import annotations

import random

import pytest

from storage.abuse import AbuseAction, HashEntries, HashMatch
from storage.errors import NotFoundError
from storage.perceptual_hashes import MAX_DISTANCE, MediaHash, orientations, text_of
from storage.postgres.database import Database
from storage.reports import Category
from storage.stores.moderation import hash_lists

pytestmark = pytest.mark.engines

DICE = random.Random(7)


def drawn() -> str:
    """Return a hash of an image."""
    return text_of(DICE.getrandbits(256))


def near(pdq: str, bits: int) -> str:
    """Return a hash that differs in so many bits."""
    return text_of(int(pdq, 16) ^ sum(1 << bit for bit in DICE.sample(range(256), bits)))


async def load(database: Database, name: str, action: AbuseAction, entries: HashEntries) -> int:
    """Load a list and return the number of new entries."""
    async with database.transaction() as tx:
        return await hash_lists.add(tx, await hash_lists.create(tx, name, action, Category.SPAM), entries)


async def found(database: Database, pdq: str, *, quality: int = 100, sha256: str = "aa") -> list[HashMatch]:
    """Return the matches of a picture."""
    return await hash_lists.matches(database, [MediaHash(sha256=sha256, pdq=pdq, quality=quality)])


async def test_an_image_is_found_within_the_distance(database: Database) -> None:
    """Up to 31 different bits are the same image, wherever they are; one bit more is another one."""
    listed = drawn()
    await load(database, "spam", AbuseAction.HOLD, HashEntries(images=[listed, *(drawn() for _ in range(200))]))
    for bits in (0, 1, 16, MAX_DISTANCE):
        expected = HashMatch(
            list_name="spam", action=AbuseAction.HOLD, category=Category.SPAM, sha256="aa", entry=listed, distance=bits
        )
        assert await found(database, near(listed, bits)) == [expected]
    two_in_each_part = text_of(int(listed, 16) ^ sum(0b11 << (16 * part) for part in range(16)))
    assert await found(database, two_in_each_part) == []
    assert await found(database, near(listed, MAX_DISTANCE + 1)) == []
    assert await found(database, drawn()) == []


async def test_a_turned_or_mirrored_image_is_found(database: Database) -> None:
    """Each orientation is compared, also with some different bits."""
    listed = drawn()
    await load(database, "spam", AbuseAction.HOLD, HashEntries(images=[listed]))
    for turned in orientations(listed):
        (match,) = await found(database, near(turned, 14))
        assert match.distance is not None
        assert match.distance <= 14
        assert match.entry == listed


async def test_an_image_without_edges_is_not_compared(database: Database) -> None:
    """The PDQ of an image of low quality finds nothing; its original does."""
    pdq, sha256 = drawn(), drawn()
    await load(database, "spam", AbuseAction.HIDE, HashEntries(images=[pdq], originals=[sha256]))
    assert await found(database, pdq, quality=49) == []
    assert [match.distance for match in await found(database, pdq, quality=0, sha256=sha256)] == [None]


async def test_the_nearest_entry_of_each_list(database: Database) -> None:
    """A picture has one match for each list that has it: its original before all others, then the nearest."""
    pdq, sha256 = drawn(), drawn()
    close, closer = near(pdq, 20), near(pdq, 5)
    await load(database, "one", AbuseAction.CASE, HashEntries(images=[close, closer]))
    await load(database, "two", AbuseAction.HIDE, HashEntries(images=[closer], originals=[sha256]))
    matches = {match.list_name: match for match in await found(database, pdq, sha256=sha256)}
    assert (matches["one"].entry, matches["one"].distance, matches["one"].action) == (closer, 5, AbuseAction.CASE)
    assert (matches["two"].entry, matches["two"].distance, matches["two"].action) == (sha256, None, AbuseAction.HIDE)
    assert len(matches) == 2


async def test_loading_twice_adds_nothing(database: Database) -> None:
    """The same entries are added once; the action is that of the last time, and applies to all."""
    entries = HashEntries(images=[drawn(), drawn()], originals=[drawn()])
    assert await load(database, "spam", AbuseAction.CASE, entries) == 3
    assert await load(database, "spam", AbuseAction.HIDE, entries) == 0
    more = HashEntries(images=[*entries.images, drawn(), entries.images[0]])
    assert await load(database, "spam", AbuseAction.HIDE, more) == 1
    (only,) = await hash_lists.all_lists(database)
    assert (only.name, only.action, only.originals, only.images) == ("spam", AbuseAction.HIDE, 1, 3)
    assert (await found(database, entries.images[0]))[0].action is AbuseAction.HIDE


async def test_a_removed_list_finds_nothing(database: Database) -> None:
    """It is removed in batches, with all that it has led to in the tables; an entry of another list stays."""
    shared, own = drawn(), [drawn() for _ in range(5)]
    await load(database, "one", AbuseAction.CASE, HashEntries(images=[shared, *own], originals=own))
    await load(database, "two", AbuseAction.CASE, HashEntries(images=[shared]))
    list_id, removed = await hash_lists.find(database, "one"), []
    while True:
        async with database.transaction() as tx:
            removed.append(await hash_lists.remove_some(tx, list_id, limit=4))
        if not removed[-1]:
            break
    assert removed == [8, 3, 0]
    assert [one.name for one in await hash_lists.all_lists(database)] == ["two"]
    assert [match.list_name for match in await found(database, shared)] == ["two"]
    assert await database.fetchval("SELECT count(*) FROM hash_bands") == 16
    with pytest.raises(NotFoundError):
        await hash_lists.find(database, "one")
