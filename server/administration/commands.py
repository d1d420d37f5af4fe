"""What the commands for operators do: migrations, accounts and dead letters; each opens the backends it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from server.administration.media_check import MediaCheck
from server.administration.media_report import Report
from server.composition import backends
from server.composition.blob_stores import open_blobs
from server.composition.embedded import reachable_backends
from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.problem import invalid
from server.edge.requests import NewAccount
from server.errors import InputError
from server.identity.passwords import Passwords, PasswordSettings
from storage.errors import NotFoundError
from storage.models import Role, User
from storage.postgres import migrate as migrations
from storage.postgres.database import Database, Queryable
from storage.stores.accounts import account_deletion, usernames, users
from workers.broker.port import Broker, DeadLetter


async def migrate(settings: Settings) -> list[str]:
    """Apply the missing migrations and return their names."""
    async with reachable_backends(settings) as resolved:
        return await migrations.migrate(resolved.database.session_url)


async def create_user(
    settings: Settings, *, username: str, email: str, password: str, display_name: str, role: Role
) -> User:
    """Create an account by the rules of signing up, except that a reserved name is allowed.

    An empty `display_name` becomes the username. Raises `InputError` for a text that the rules do not allow, and
    `ConflictError` if the username or address is taken.
    """
    try:
        account = NewAccount(username=username, email=email, password=password, display_name=display_name)
    except ValidationError as error:
        raise InputError(invalid(error).detail) from error
    passwords = Passwords.of(from_sections(PasswordSettings, settings.auth))
    try:
        encoded = await passwords.hash(account.password)
    finally:
        passwords.close()
    async with open_database(settings) as db, db.transaction() as tx:
        return await users.create(
            tx,
            username=account.username,
            email=account.email,
            password_hash=encoded,
            display_name=account.display_name or account.username,
            role=role,
        )


async def set_role(settings: Settings, username: str, role: Role) -> User:
    """Set the role of an account; raise `NotFoundError`."""
    async with open_database(settings) as db, db.transaction() as tx:
        return await users.set_role(tx, username, role)


async def delete_user(settings: Settings, username: str, *, at_once: bool) -> datetime | None:
    """Delete an account as its user would; return until when that can be undone, None if it cannot.

    With `at_once` it cannot, and an account whose deletion can still be undone is deleted for good. Workers close its
    live connections. Raises `NotFoundError`.
    """
    grace = timedelta(days=0 if at_once else settings.accounts.deletion_grace)
    async with open_database(settings) as db, db.transaction() as tx:
        user_id = await id_of(tx, username)
        if grace:
            return (await account_deletion.schedule(tx, user_id, grace=grace)).due_at.astimezone(UTC)
        await users.remove(tx, user_id)
        return None


async def restore_user(settings: Settings, username: str) -> User:
    """Undo the deletion of an account and return it; raise `NotFoundError` if there is none to undo."""
    async with open_database(settings) as db, db.transaction() as tx:
        return await account_deletion.restore(tx, await id_of(tx, username))


async def id_of(db: Queryable, username: str) -> int:
    """Return the id of an account; raise `NotFoundError`."""
    user_id = await usernames.id_of(db, username)
    if user_id is None:
        raise NotFoundError("user")
    return user_id


async def find_users(settings: Settings, prefix: str, limit: int) -> list[User]:
    """Return the accounts whose username begins with `prefix`, by name."""
    async with open_database(settings) as db:
        return await users.search(db, prefix, viewer_id=None, after=None, limit=limit)


async def verify_media(settings: Settings, *, sample: int | None, mend: bool) -> Report:
    """Compare contents with the objects of the blob store; see `MediaCheck`."""
    async with open_database(settings) as db:
        return await MediaCheck(db, open_blobs(settings), mend=mend).run(sample=sample)


async def dead_letters(settings: Settings, queue: str | None, limit: int) -> Sequence[DeadLetter]:
    """Return dead letters of one queue, or of all, oldest first."""
    async with _broker(settings) as broker:
        return await broker.dead_letters(queue, limit=limit)


async def dead_letter_ids(settings: Settings, queue: str | None) -> list[str]:
    """Return the ids of all dead letters of one queue, or of all."""
    return [entry.id for entry in await dead_letters(settings, queue, 100_000)]


async def replay_or_delete(settings: Settings, dead_letter_ids: Sequence[str], *, replay: bool) -> list[str]:
    """Replay or delete dead letters; return the ids that were not found."""
    async with _broker(settings) as broker:
        change = broker.replay if replay else broker.delete
        return [one_id for one_id in dead_letter_ids if not await change(one_id)]


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the database and check its schema."""
    async with (
        reachable_backends(settings) as resolved,
        backends.open_database(resolved, min_size=1, max_size=4) as db,
    ):
        await migrations.check(db)
        yield db


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[Broker]:
    async with reachable_backends(settings) as resolved, backends.open_broker(resolved) as broker:
        yield broker
