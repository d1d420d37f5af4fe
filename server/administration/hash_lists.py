"""What the commands about lists of known images do: load, list and remove them, and check a file or all photos."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from server.administration import hash_files
from server.administration.commands import open_database
from server.config.settings import Settings
from server.errors import InputError
from storage.abuse import AbuseAction, HashEntries, HashList, HashMatch
from storage.blobs.variants import Variant
from storage.perceptual_hashes import MediaHash
from storage.reports import Category
from storage.stores.moderation import hash_lists
from workers.images.decode import ImageRejectedError
from workers.images.limits import DecoderLimits
from workers.images.pool import Decoder
from workers.jobs.media.images import hash_of

_BATCH = 1_000  # entries that are added in one transaction
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_SMALL = (Variant(side=320, square=False, format="jpg"),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """The outcome of loading a file: its entries, and how many of them the list did not have."""

    entries: int
    added: int


async def add(settings: Settings, name: str, action: AbuseAction, category: Category, path: Path) -> Added:
    """Add a file to a list, which is created if there is none; raise `InputError`. It can be repeated at any point."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"`{name[:70]}` is no name of a list: it has up to 50 lower-case letters, digits, - and _, "
            "and begins with a letter or digit."
        )
    entries = hash_files.read(path)
    added = 0
    async with open_database(settings) as db:
        async with db.transaction() as tx:
            list_id = await hash_lists.create(tx, name, action, category)
        for batch in _batches(entries):
            async with db.transaction() as tx:
                added += await hash_lists.add(tx, list_id, batch)
    return Added(entries=len(entries.originals) + len(entries.images), added=added)


async def all_lists(settings: Settings) -> list[HashList]:
    """Return all lists by name."""
    async with open_database(settings) as db:
        return await hash_lists.all_lists(db)


async def remove(settings: Settings, name: str) -> int:
    """Remove a list and return the number of its entries; raise `NotFoundError("list")`."""
    async with open_database(settings) as db:
        list_id, removed = await hash_lists.find(db, name), 0
        while True:
            async with db.transaction() as tx:
                batch = await hash_lists.remove_some(tx, list_id)
            if not batch:
                return removed
            removed += batch


async def check(settings: Settings, path: Path) -> tuple[MediaHash, list[HashMatch]]:
    """Return the hashes of an image file and what the lists have of it; raise `InputError` if it is no image."""
    sha256 = _sha256(path)
    section = settings.worker
    limits = DecoderLimits(
        deadline=section.decode_deadline, memory=section.decode_memory, max_pixels=settings.upload.max_pixels
    )
    decoder = Decoder(processes=1, limits=limits)
    try:
        decoded = await decoder.variants(path, _SMALL)
    except ImageRejectedError as error:
        raise InputError(f"{path} cannot be checked: {error}.") from error
    finally:
        await decoder.close()
    found = hash_of(sha256, decoded)
    async with open_database(settings) as db:
        return found, await hash_lists.matches(db, [found])


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _batches(entries: HashEntries) -> list[HashEntries]:
    # In the order of the hashes, so that two commands at the same moment wait for each other and never in a circle.
    return [
        *(HashEntries(originals=part) for part in _parts(sorted(entries.originals))),
        *(HashEntries(images=part) for part in _parts(sorted(entries.images))),
    ]


def _parts(items: list[str]) -> list[list[str]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
