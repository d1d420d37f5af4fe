"""The users of `bench.feed_server`: viewers of feeds with one author, with 20, and with 20 stars; and what trends."""

from __future__ import annotations

from typing import Any, NamedTuple

from server.composition.backends import Stores
from storage.cache.photo_trends import PhotoTrends
from storage.feeds.home import Home
from storage.limits.quotas import QuotaPolicy
from storage.models import User
from storage.stores.accounts import users
from storage.stores.credentials import sessions
from storage.stores.photos import photo_processing, photos
from storage.stores.social import follows
from storage.trends import PhotoTrend

ONE_AUTHOR, AUTHORS, STARS = "one author", "20 authors", "20 stars"  # what each viewer follows
FOLLOWED = 20
PHOTOS = 60  # in each feed
_PLENTY = QuotaPolicy(name="reads", limit=1_000_000_000, window_seconds=60)
_WORDS: dict[str, Any] = {
    "caption": "Evening light over the temple, just after the rain",
    "alt_text": "A temple",
    "location": "Kyoto",
}


class Viewer(NamedTuple):
    """An account, and a session of it."""

    user_id: int
    session: str


async def community(stores: Stores) -> dict[str, Viewer]:
    """Create authors, photos and viewers; return the viewers by what they follow."""
    viewers = {
        name: await _viewer(stores, f"viewer{number}") for number, name in enumerate((ONE_AUTHOR, AUTHORS, STARS))
    }
    author = await _user(stores, "author")
    await _follow(stores, viewers[ONE_AUTHOR].user_id, author.id)
    for number in range(PHOTOS):
        await _photo(stores, author.id, number)
    authors = [await _user(stores, f"author{number}") for number in range(FOLLOWED)]
    trends = []
    for place, each in enumerate(authors):
        for name in (AUTHORS, STARS):
            await _follow(stores, viewers[name].user_id, each.id)
        photo_ids = [await _photo(stores, each.id, 1000 * (place + 1) + n) for n in range(PHOTOS // FOLLOWED)]
        trends += [_trend(photo_id, each.id) for photo_id in photo_ids]
    await PhotoTrends(stores.redis).put(trends)
    await _make_stars(stores, authors, viewers)
    return viewers


async def _make_stars(stores: Stores, authors: list[User], viewers: dict[str, Viewer]) -> None:
    """Make the feed of one viewer one of stars; the other feed has the same photos of the same authors."""
    home = Home(stores.reads, stores.redis, stores.feeds, stores.cards, stores.counter_cache)
    for viewer in viewers.values():
        await home.page(viewer.user_id, session=viewer.session, before=None, limit=20, policy=_PLENTY)
    for author in authors:
        await stores.feeds.star_logs.open(author.id)
        await stores.feeds.followed_stars.add(author.id, [viewers[STARS].user_id])


def _trend(photo_id: int, author_id: int) -> PhotoTrend:
    likes = 100 + photo_id % 97
    return PhotoTrend(
        photo_id=photo_id, author_id=author_id, version=1, likes=likes, commenters=0, followers=10, public=True
    )


async def _viewer(stores: Stores, name: str) -> Viewer:
    user = await _user(stores, name)
    async with stores.db.transaction() as tx:
        session = await sessions.open(tx, user.id, token_sha256=name.encode().ljust(32), expires_at=user.created_at)
    return Viewer(user.id, session)


async def _user(stores: Stores, name: str) -> User:
    async with stores.db.transaction() as tx:
        return await users.create(
            tx, username=name, email=f"{name}@picshare.example", password_hash="", display_name=name.title()
        )


async def _follow(stores: Stores, viewer_id: int, author_id: int) -> None:
    async with stores.db.transaction() as tx:
        await follows.follow(tx, viewer_id, author_id)


async def _photo(stores: Stores, author_id: int, number: int) -> int:
    async with stores.db.transaction() as tx:
        photo = await photos.create(
            tx,
            author_id=author_id,
            sha256=f"{number:064x}",
            content_type="image/jpeg",
            bytes=3_000_000,
            width=4000,
            height=3000,
            tags=["kyoto", "rain"],
            **_WORDS,
        )
        await photo_processing.mark_ready(
            tx, photo.id, width=4000, height=3000, placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI", exif={}
        )
    return photo.id
