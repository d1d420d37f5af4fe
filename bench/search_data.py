"""Users, photos and tags for `bench.search`, as text for COPY; a million of each take about a minute.

Names are made of 48 syllables, which is denser than real ones: three letters are in more of them. Words of captions
follow Zipf's law. Everything derives from numbers, so every run has the same rows.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg

from storage import search_text

_SYLLABLES = (
    "ma",
    "ri",
    "an",
    "na",
    "jo",
    "se",
    "lu",
    "ca",
    "el",
    "la",
    "so",
    "fi",
    "mi",
    "chi",
    "ka",
    "ro",
    "be",
    "to",
    "vi",
    "da",
    "ni",
    "co",
    "al",
    "ex",
    "san",
    "dra",
    "pa",
    "ul",
    "ti",
    "ya",
    "sha",
    "ke",
    "vin",
    "ol",
    "ga",
    "he",
    "le",
    "ju",
    "li",
    "mar",
    "tin",
    "bo",
    "ris",
    "no",
    "ra",
    "ed",
    "gar",
    "wil",
)
_ACCENTS = str.maketrans("aeiou", "áéíöü")
WORDS, TAGS = 50_000, 100_000
VIEWER = 1025  # the id of the first user
_LINES = 5_000  # that are generated at once
_TABLES = ("users", "usernames", "user_search", "photos", "photo_text", "photo_tags", "tags", "following", "blocks")
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = ANY($1::text[])
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)
  AND indexdef NOT LIKE 'CREATE UNIQUE%'
"""
_USERS = """
INSERT INTO users (shard, id, username, email, password_hash, display_name, followers)
SELECT id & 1023, id, name, name, '-', display, followers FROM copied
"""
_DERIVED = (
    # The words are letters and digits, which are a tsvector as they are.
    """
    INSERT INTO photo_text (shard, photo_id, words)
    SELECT shard, id, (caption || ' ' || (tags ->> 0) || ' ' || (tags ->> 1))::tsvector FROM photos""",
    """
    INSERT INTO photo_tags (shard, photo_id, tag)
    SELECT shard, id, tags ->> 0 FROM photos UNION ALL
    SELECT shard, id, tags ->> 1 FROM photos WHERE tags ->> 0 <> tags ->> 1""",
    "INSERT INTO tags (tag, key, photos) SELECT tag, tag, count(*) FROM photo_tags GROUP BY tag",
    """
    INSERT INTO following (shard, follower_id, followee_id)
    SELECT 1, 1025, i * 1024 + (i & 1023) FROM generate_series(2, 301) AS i""",
    """
    INSERT INTO blocks (shard, owner_id, other_id, outgoing)
    SELECT i & 1023, i * 1024 + (i & 1023), 1025, false FROM generate_series(302, 351) AS i""",
)


async def fill(dsn: str, *, users: int, photos: int) -> None:
    """Insert users and photos, their rows in the search index, and the viewer's follows and blocks."""
    connection = await asyncpg.connect(dsn)
    # Without checks of foreign keys and triggers, which take most of the time.
    await connection.execute(
        "SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '512MB'"
    )
    # An index that is built over all rows takes a fraction of the time of one that grows with each of them.
    indexes = await connection.fetch(_INDEXES, list(_TABLES))
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    # The driver cannot copy the type citext.
    await connection.execute("CREATE TEMPORARY TABLE copied (id bigint, name text, display text, followers integer)")
    await _copy(connection, "copied", "id name display followers", _users(users))
    await connection.execute(_USERS, timeout=600)
    await connection.execute("INSERT INTO usernames (username, user_id) SELECT name, id FROM copied", timeout=600)
    await _copy(connection, "user_search", "shard user_id name display fame", _names(users))
    columns = "shard id author_id state sha256 content_type bytes width height caption tags"
    await _copy(connection, "photos", columns, _photos(users, photos))
    for statement in _DERIVED:
        await connection.execute(statement, timeout=600)
    for index in indexes:
        await connection.execute(index["indexdef"], timeout=600)
    for table in _TABLES:
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=600)
    await connection.close()


def id_of(number: int) -> int:
    """Return the id of a user by number, from 1."""
    return number * 1024 + (number & 1023)


def name_of(number: int) -> tuple[str, str]:
    """Return the first and last name of a user; one in ten has accents."""
    first, last = _syllables(number).title(), _syllables(~number).title()
    return (first.translate(_ACCENTS), last.translate(_ACCENTS)) if number % 10 == 0 else (first, last)


def username_of(number: int) -> str:
    """Return the username of a user, which is unique."""
    first, last = _syllables(number), _syllables(~number)
    return f"{first}_{last}{number}"[:30] if number % 2 else f"{last}{number}"


def word(rank: int) -> str:
    """Return the word of a rank by frequency; words differ, and their beginnings are as frequent as in a language."""
    return _syllables(-rank) + (f"{rank:x}" if rank > 500 else "")


async def _copy(connection: Any, table: str, columns: str, lines: Iterator[str]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while some := list(itertools.islice(lines, _LINES)):
            yield "".join(some).encode()

    await connection.copy_to_table(table, source=pieces(), columns=columns.split(), timeout=1800)


def _followers(number: int) -> int:
    return int(2_000_000 / (1 + number * 7919 % 1_000_003))


def _users(count: int) -> Iterator[str]:
    for number in range(1, count + 1):
        yield f"{id_of(number)}\t{username_of(number)}\t{' '.join(name_of(number))}\t{_followers(number)}\n"


def _names(count: int) -> Iterator[str]:
    for number in range(1, count + 1):
        display = " ".join(name_of(number))
        key = display.lower() if display.isascii() else search_text.key(display)
        fame = (_followers(number) + 1).bit_length() - 1
        yield f"{number & 1023}\t{id_of(number)}\t{username_of(number)}\t{key}\t{fame}\n"


def _photos(users: int, count: int) -> Iterator[str]:
    rng = random.Random(2)
    words, tagged = [word(rank) for rank in range(WORDS)], [word(rank) for rank in range(TAGS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(2, WORDS + 2)))
    for number in range(1, count + 1):
        author = rng.randrange(1, users + 1)
        caption = " ".join(rng.choices(words, cum_weights=weights, k=rng.randint(3, 15)))
        one, other = (tagged[int(rng.paretovariate(0.5)) % TAGS] for _ in range(2))
        shard = author & 1023
        yield (
            f"{shard}\t{(users + number) * 1024 + shard}\t{id_of(author)}\tready\t{'a' * 64}\timage/jpeg\t1\t1\t1\t"
            f'{caption}\t["{one}","{other}"]\n'
        )


def _syllables(number: int) -> str:
    """Return two or three syllables that look random."""
    mixed = (number * 0x9E3779B97F4A7C15 ^ number * 0xC2B2AE3D27D4EB4F >> 17) & (1 << 64) - 1
    return "".join(_SYLLABLES[(mixed >> 12 * place) % 48] for place in range(2 + (mixed >> 60 & 1)))
