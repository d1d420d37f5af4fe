"""Record which pictures of a photo are in a list of known images, before the photo is shown."""

from __future__ import annotations

from collections.abc import Sequence

from storage.abuse import Finding, FindingKind, HashMatch, nearest
from storage.postgres.database import Transaction
from storage.reports import SubjectKind
from workers.jobs.findings import FindingRecorder


async def record_matches(
    tx: Transaction, recorder: FindingRecorder, matches: Sequence[HashMatch], *, photo_id: int, author_id: int
) -> int:
    """Record a finding for each list that has a picture of a photo in any state; return the number of new ones."""
    new = 0
    for name in sorted({match.list_name for match in matches}):
        match = nearest([each for each in matches if each.list_name == name])
        new += await recorder.record(tx, _finding(photo_id, author_id, match))
    return new


def _finding(photo_id: int, author_id: int, match: HashMatch) -> Finding:
    by_original = match.distance is None
    return Finding(
        kind=FindingKind.LISTED_IMAGE,
        account_id=author_id,
        subject=SubjectKind.PHOTO,
        subject_id=photo_id,
        action=match.action,
        category=match.category,
        rule=match.list_name,
        key=f"{FindingKind.LISTED_IMAGE}:{photo_id}:{match.list_name}",
        facts={
            "picture": match.sha256,
            "matched": "sha256" if by_original else "pdq",
            "entry": match.entry,
            **({} if by_original else {"distance": match.distance}),
        },
    )
