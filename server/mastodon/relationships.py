"""The relations of the viewer to accounts, as entities."""

from __future__ import annotations

from collections.abc import Sequence

from server.mastodon.accounts import Entity, relationship
from storage.models import Relation
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.stores.social import relations


async def relationships(reads: Reads, viewer_id: int, user_ids: Sequence[int]) -> list[Entity]:
    """Return the viewer's relations to accounts, in the order of the ids, by two statements however many they are."""

    async def read(db: Queryable) -> tuple[dict[int, Relation], set[int]]:
        return (
            await relations.to_others(db, viewer_id, user_ids),
            await relations.requesters(db, viewer_id, user_ids),
        )

    found, requesters = await reads.read(viewer_id, read)
    return [relationship(each, found[each], requested_by=each in requesters) for each in user_ids]
