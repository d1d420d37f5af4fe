"""Compare the photos that are there with the lists of known images; later ones are compared when they are uploaded."""

from __future__ import annotations

from dataclasses import dataclass

from server.administration.commands import open_database
from server.config.settings import Settings
from storage.postgres.database import Database
from storage.stores.moderation import hash_lists
from storage.stores.photos import media_hashes, photos
from storage.stores.photos.media_hashes import StoredHash
from workers.jobs.media.listed_images import record_matches
from workers.jobs.metrics import NoFindingMetrics
from workers.jobs.moderation.findings import FindingRecorder

_PAGE = 500  # pictures of one statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Scanned:
    """The numbers of compared pictures, and of new findings."""

    pictures: int
    found: int


async def scan(settings: Settings) -> Scanned:
    """Compare all pictures and record what is found, as an upload does. It can be interrupted and repeated."""
    recorder, pictures, found = FindingRecorder(NoFindingMetrics()), 0, 0
    after = (0, "")
    async with open_database(settings) as db:
        while page := await media_hashes.page(db, after=after, limit=_PAGE):
            for each in page:
                found += await _compare(db, recorder, each)
            pictures += len(page)
            after = page[-1].photo_id, page[-1].hash.sha256
    return Scanned(pictures=pictures, found=found)


async def _compare(db: Database, recorder: FindingRecorder, stored: StoredHash) -> int:
    matches = await hash_lists.matches(db, [stored.hash])
    photo = (await photos.load(db, [stored.photo_id])).get(stored.photo_id) if matches else None
    if photo is None:
        return 0
    async with db.transaction() as tx:
        return await record_matches(tx, recorder, matches, photo_id=photo.id, author_id=photo.author.id)
