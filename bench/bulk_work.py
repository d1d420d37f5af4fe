"""Bulk work that one user causes, for `bench.bulk`: rows that exist before, and the request that starts it.

The rows are inserted directly, as if they had been created by the API long ago; the images themselves are missing.
Statistics are collected as PostgreSQL does within a minute: until then the plans of statements that each connection has
kept are those of nearly empty tables, and a like reads all users.

The work is done when its rows say so. The depth of a queue does not: RabbitMQ counts no message that is being handled.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass

from storage import ids
from storage.ids import IdGenerator
from storage.postgres.database import Database
from tests.support.api_user import ApiUser
from tests.support.pictures import photograph
from workers.jobs.feeds.photo_feeds import LANES

PHOTOS = COMMENTS = 2_000
FOLLOWERS = 20_000
REQUESTS = 2_000
_LANE = ids.SHARDS // LANES
_maker = IdGenerator()

_PHOTOS = """
INSERT INTO photos (shard, id, author_id, state, sha256, content_type, bytes, width, height)
SELECT id & 1023, id, $1, 'ready', sha256, 'image/jpeg', 1000000, 4000, 3000
FROM unnest($2::bigint[], $3::text[]) AS new (id, sha256)
"""
_CONTENTS = """
INSERT INTO contents (sha256, size, content_type, state)
SELECT sha256, 1000000, 'image/jpeg', 'stored' FROM unnest($1::text[]) AS new (sha256)
"""
_COMMENTS = """
INSERT INTO comments (shard, id, photo_id, author_id, author_username, author_name, text)
SELECT new.id & 1023, new.id, new.photo_id, a.id, a.username, a.display_name,
    'A comment of the usual length, more or less.'
FROM unnest($2::bigint[], $3::bigint[]) AS new (id, photo_id), users a WHERE a.id = $1
"""
_COUNTS = """
UPDATE photos SET comments = (SELECT count(*) FROM comments c WHERE c.photo_id = photos.id) WHERE id = ANY($1::bigint[])
"""
_USERS = """
INSERT INTO users (shard, id, username, email, password_hash, display_name)
SELECT id & 1023, id, name, name || '@picshare.example', '', name
FROM unnest($1::bigint[], $2::text[]) AS new (id, name)
"""
_FOLLOWS = """
WITH following_side AS (
    INSERT INTO following (shard, follower_id, followee_id)
    SELECT id & 1023, id, $1 FROM unnest($2::bigint[]) AS new (id))
INSERT INTO followers (shard, follower_id, followee_id) SELECT $1 & 1023, id, $1 FROM unnest($2::bigint[]) AS new (id)
"""
_REQUESTS = """
INSERT INTO follow_requests (shard, follower_id, followee_id)
SELECT $1::bigint & 1023, id, $1 FROM unnest($2::bigint[]) AS new (id)
"""

NewUser = Callable[[], Awaitable[ApiUser]]


@dataclass(frozen=True, kw_only=True)
class Work:
    """`start` sends the request; `done` returns whether all that follows from it has happened."""

    start: Callable[[], Coroutine[None, None, None]]
    done: Callable[[], Awaitable[bool]]


async def deletion(db: Database, new_user: NewUser) -> Work:
    """Delete an account with photos, and with comments below the photos of others."""
    user, other = await new_user(), await new_user()
    await add_photos(db, user, PHOTOS)
    await add_comments(db, user, await add_photos(db, other, 200), COMMENTS)

    async def start() -> None:
        (await user.call("DELETE", "/users/me")).expect(202)

    async def done() -> bool:
        return not await _any(db, "photos WHERE author_id = $1 AND deleted_at IS NULL", user) and not await _any(
            db, "comments WHERE author_id = $1 AND deleted_at IS NULL", user
        )

    await analyze(db)
    return Work(start=start, done=done)


async def fan_out(db: Database, new_user: NewUser) -> Work:
    """Post ten photos to very many followers."""
    author = await new_user()
    last = await _last_followers(author, new_user)
    shards = [each for end in last for each in range(end - end % _LANE, end)]
    followers = await _add_users(db, FOLLOWERS, shards)
    await db.fetch(_FOLLOWS, ids.decode(author.id), followers)
    await db.fetch("UPDATE users SET followers = followers + $2 WHERE id = $1", ids.decode(author.id), FOLLOWERS)
    await db.fetch("UPDATE users SET following = 1 WHERE id = ANY($1::bigint[])", followers)

    async def start() -> None:
        for _ in range(10):
            await author.upload(photograph())

    async def done() -> bool:
        # A range of followers is served in the order of shards, so its last one has a photo when all have it.
        return all([len(await user.feed()) == 10 for user in last.values()])

    await analyze(db)
    return Work(start=start, done=done)


async def opening(db: Database, new_user: NewUser) -> Work:
    """Make a private account public that has many requests to follow it."""
    author = await new_user()
    (await author.call("PATCH", "/users/me", json={"private": True})).expect(200)
    await db.fetch(_REQUESTS, ids.decode(author.id), await _add_users(db, REQUESTS, range(ids.SHARDS)))

    async def start() -> None:
        (await author.call("PATCH", "/users/me", json={"private": False})).expect(200)

    async def done() -> bool:
        return not await _any(db, "follow_requests WHERE followee_id = $1", author)

    await analyze(db)
    return Work(start=start, done=done)


async def renaming(db: Database, new_user: NewUser) -> Work:
    """Change the name of an author of very many photos and comments, three times."""
    author, other = await new_user(), await new_user()
    await add_photos(db, author, 10 * PHOTOS)
    await add_comments(db, author, await add_photos(db, other, 200), 20 * COMMENTS)

    async def start() -> None:
        for name in ("One", "Two", "Three"):
            (await author.call("PATCH", "/users/me", json={"display_name": name})).expect(200)

    async def done() -> bool:
        return not await _any(db, "comments WHERE author_id = $1 AND author_name <> 'Three'", author)

    await analyze(db)
    return Work(start=start, done=done)


async def blocking(db: Database, new_user: NewUser) -> Work:
    """Block an author of very many comments below the blocker's photos."""
    author, owner = await new_user(), await new_user()
    await add_comments(db, author, await add_photos(db, owner, 200), COMMENTS)

    async def start() -> None:
        (await owner.call("PUT", f"/users/{author.id}/block")).expect(204)

    async def done() -> bool:
        return not await _any(db, "comments WHERE author_id = $1 AND deleted_at IS NULL", author)

    await analyze(db)
    return Work(start=start, done=done)


WORK: Sequence[tuple[str, Callable[[Database, NewUser], Awaitable[Work]]]] = (
    (f"an account with {PHOTOS:,} photos and {COMMENTS:,} comments is deleted", deletion),
    (f"10 photos are posted to {FOLLOWERS:,} followers", fan_out),
    (f"an account with {REQUESTS:,} requests becomes public", opening),
    (f"an author of {10 * PHOTOS:,} photos and {20 * COMMENTS:,} comments is renamed", renaming),
    (f"an author of {COMMENTS:,} comments is blocked by the photos' owner", blocking),
)


async def add_photos(db: Database, author: ApiUser, count: int) -> list[int]:
    """Insert photos of an author; return their ids."""
    author_id = ids.decode(author.id)
    new = [_maker.new(ids.shard_of(author_id)) for _ in range(count)]
    names = [secrets.token_hex(32) for _ in new]
    await db.fetch(_CONTENTS, names)
    await db.fetch(_PHOTOS, author_id, new, names)
    await db.fetch("UPDATE users SET photos = photos + $2 WHERE id = $1", author_id, count)
    return new


async def add_comments(db: Database, author: ApiUser, photo_ids: Sequence[int], count: int) -> None:
    """Insert comments of an author, spread over photos."""
    below = [photo_ids[number % len(photo_ids)] for number in range(count)]
    new = [_maker.new(ids.shard_of(photo_id)) for photo_id in below]
    await db.fetch(_COMMENTS, ids.decode(author.id), new, below)
    await db.fetch(_COUNTS, list(photo_ids))


async def _any(db: Database, rows: str, user: ApiUser) -> bool:
    """Return whether there is a row of a table on the condition that names the user $1."""
    found: bool = await db.fetchval(f"SELECT EXISTS (SELECT 1 FROM {rows})", ids.decode(user.id))  # noqa: S608
    return found


async def analyze(db: Database) -> None:
    """Collect statistics, without which each connection keeps plans for empty tables."""
    async with db.connection() as connection:
        await connection.execute("ANALYZE")


async def _last_followers(author: ApiUser, new_user: NewUser) -> dict[int, ApiUser]:
    """Sign up a follower near the end of each range of shards that fan-out serves, and return them by shard."""
    last: dict[int, ApiUser] = {}
    while len({shard // _LANE for shard in last}) < LANES:
        user = await new_user()
        shard = ids.shard_of(ids.decode(user.id))
        if shard % _LANE >= _LANE // 2 and shard // _LANE not in {each // _LANE for each in last}:
            await user.follow(author)
            await user.feed()
            last[shard] = user
    return last


async def _add_users(db: Database, count: int, shards: Sequence[int]) -> list[int]:
    new = [_maker.new(shards[number % len(shards)]) for number in range(count)]
    await db.fetch(_USERS, new, [f"u{secrets.token_hex(8)}" for _ in new])
    return new
