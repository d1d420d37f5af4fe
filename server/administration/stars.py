"""What operators can do about stars: list them, and have one promoted or demoted now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.composition.backends import Stores, open_stores
from server.composition.embedded import reachable_backends
from server.config.settings import Settings
from storage.models import StarState
from storage.postgres import migrate
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.social import stars
from storage.stores.social.stars import ListedStar, Standing
from workers.jobs.feeds.stars import STUCK_AFTER, reconsider


@dataclass(frozen=True, kw_only=True, slots=True)
class StarCheck:
    """The standing of an author, and the promotion or demotion that a check has begun, None for neither."""

    standing: Standing
    begun: StarState | None


async def list_stars(settings: Settings, limit: int) -> Sequence[ListedStar]:
    """Return the stars, those that are being promoted or demoted first, then by followers."""
    async with _stores(settings) as stores:
        return await stars.listed(stores.db, limit=limit)


async def check_star(settings: Settings, name_or_id: str) -> StarCheck:
    """Compare an author's followers with the setting now, instead of after the next photo; raise `NotFoundError`.

    A promotion or demotion that is under way for `STUCK_AFTER` begins again. Logs of an author who is no star, which a
    restored database may leave, are deleted.
    """
    async with _stores(settings) as stores:
        author_id = await users.by_name_or_id(stores.db, name_or_id, lambda user_id: _author(stores.db, user_id))
        standing = await stars.standing(stores.db, author_id)
        begun = await reconsider(
            stores.db,
            author_id,
            standing,
            followers=settings.worker.star_followers,
            restart_after=STUCK_AFTER,
        )
        if standing.state is None and begun is None:
            await stores.feeds.star_logs.close(author_id)
        return StarCheck(standing=standing, begun=begun)


async def _author(db: Database, user_id: int) -> int:
    """Return the id of an account, or of a star whose account is deleted; raise `NotFoundError`."""
    if (await stars.standing(db, user_id)).state is None:
        await users.get(db, user_id)
    return user_id


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores and check the schema."""
    async with reachable_backends(settings) as resolved, open_stores(resolved) as stores:
        await migrate.check(stores.db)
        yield stores
