"""What the commands about moderation do: hide or restore a photo, and list what was decided about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.composition.backends import Stores, open_stores
from server.composition.embedded import reachable_backends
from server.config.settings import Settings
from server.errors import InputError
from storage import ids, texts
from storage.errors import NotFoundError
from storage.models import Photo
from storage.moderation import MAX_REASON, MAX_RULE, Decider, Decision, ModerationAction
from storage.postgres import migrate
from storage.stores.photos import photo_moderation, photos
from storage.stores.photos.photo_moderation import Decided
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.moderation.photo_decisions import PhotoDecisions


@dataclass(frozen=True, kw_only=True, slots=True)
class Moderated:
    """A photo, and the latest decision of each source about it, the newest first."""

    photo: Photo
    decisions: Sequence[Decision]


async def hide(settings: Settings, photo: str, *, reason: str, rule: str) -> Decided:
    """Hide a photo as a moderator; raise `NotFoundError`, or `InputError` for a text that is no id."""
    decision = Decision(
        action=ModerationAction.HIDE,
        by=Decider.MODERATOR,
        reason=_line("--reason", reason, at_least=1, at_most=MAX_REASON),
        rule=_line("--rule", rule, at_least=0, at_most=MAX_RULE),
    )
    async with _stores(settings) as stores:
        return await _decisions(stores).decide_and_log(id_of(photo), decision)


async def restore(settings: Settings, photo: str) -> Decided:
    """Show a photo again, as a moderator; raise as `hide` does."""
    async with _stores(settings) as stores:
        allow = Decision(action=ModerationAction.ALLOW, by=Decider.MODERATOR)
        return await _decisions(stores).decide_and_log(id_of(photo), allow)


async def show(settings: Settings, photo: str) -> Moderated:
    """Return a photo in any state but deleted, and the decisions about it; raise as `hide` does."""
    async with _stores(settings) as stores:
        photo_id = id_of(photo)
        found = (await photos.load(stores.db, [photo_id])).get(photo_id)
        if found is None:
            raise NotFoundError("photo")
        return Moderated(photo=found, decisions=await photo_moderation.history(stores.db, photo_id))


def id_of(photo: str) -> int:
    """Return the id in a text; raise `InputError` if there is none."""
    try:
        return ids.decode(photo)
    except ids.BadIdError as error:
        text = f"{photo[:50]!r} is no id of a photo: it has 13 characters, as at the end of the photo's URL."
        raise InputError(text) from error


def _line(option: str, text: str, *, at_least: int, at_most: int) -> str:
    """Return a text in one line; raise `InputError` that names the option."""
    try:
        line = texts.single_line(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error
    if not at_least <= len(line) <= at_most:
        raise InputError(f"{option} has {at_least} to {at_most} characters; the author reads it.")
    return line


def _decisions(stores: Stores) -> PhotoDecisions:
    return PhotoDecisions(stores.db, stores.cards, LivePermissions(stores.db, stores.publisher))


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores and check the schema."""
    async with reachable_backends(settings) as resolved, open_stores(resolved) as stores:
        await migrate.check(stores.db)
        yield stores
