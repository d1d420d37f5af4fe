"""What an operator does by hand: accounts, dead letters, migrations; each opens the backends it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from server.composition.brokers import open_broker, routes_of
from server.composition.embedded import reachable
from server.config.settings import Settings
from server.identity.passwords import Passwords
from storage.models import Role, User
from storage.postgres import migrate as migrations
from storage.postgres.database import Database
from storage.stores import users
from workers.broker.port import Broker, DeadLetter


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the database for one command, its schema checked."""
    async with reachable(settings) as resolved:
        db = await Database.connect(resolved.database.url, routes=routes_of(resolved), min_size=1, max_size=4)
        try:
            await migrations.check(db)
            yield db
        finally:
            await db.close()


async def migrate(settings: Settings) -> list[str]:
    """Apply the migrations that are missing and return their names."""
    async with reachable(settings) as resolved:
        return await migrations.migrate(resolved.database.url)


async def create_user(
    settings: Settings, *, username: str, email: str, password: str, display_name: str, role: Role
) -> User:
    """Make an account; raise `ConflictError` when the name or address is taken."""
    passwords = Passwords(threads=1)
    try:
        encoded = await passwords.hash(password)
    finally:
        passwords.close()
    async with open_database(settings) as db, db.transaction() as tx:
        return await users.create(
            tx, username=username, email=email, password_hash=encoded, display_name=display_name, role=role
        )


async def promote(settings: Settings, username: str, role: Role) -> User:
    """Give an account another role; raise `NotFoundError`."""
    async with open_database(settings) as db, db.transaction() as tx:
        return await users.set_role(tx, username, role)


async def find_users(settings: Settings, prefix: str, limit: int) -> list[User]:
    """Return accounts whose username begins with `prefix`, by name."""
    async with open_database(settings) as db:
        return await users.search(db, prefix, viewer_id=None, after=None, limit=limit)


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[Broker]:
    async with reachable(settings) as resolved, open_broker(resolved) as broker:
        yield broker


async def dead_letters(settings: Settings, queue: str | None, limit: int) -> Sequence[DeadLetter]:
    """Return what was given up on, oldest first."""
    async with _broker(settings) as broker:
        return await broker.dead_letters(queue, limit=limit)


async def change_letters(settings: Settings, letters: Sequence[str], *, replay: bool) -> list[str]:
    """Replay or delete dead letters and return the ids that there were none of."""
    async with _broker(settings) as broker:
        act = broker.replay if replay else broker.delete
        return [letter for letter in letters if not await act(letter)]


async def all_letters(settings: Settings, queue: str | None) -> list[str]:
    """Return the ids of all dead letters of a queue, or of every queue."""
    return [letter.id for letter in await dead_letters(settings, queue, 100_000)]
