"""Record which pictures of a photo or a profile are in a list of known images, before they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from storage.abuse import Finding, FindingKind, HashMatch, nearest
from storage.postgres.database import Transaction
from storage.reports import SubjectKind
from workers.jobs.moderation.findings import FindingRecorder


async def record_matches(
    tx: Transaction, recorder: FindingRecorder, matches: Sequence[HashMatch], *, photo_id: int, author_id: int
) -> int:
    """Record a finding for each list that has a picture of a photo in any state; return the number of new ones."""
    found = [
        _finding(match, SubjectKind.PHOTO, photo_id, author_id, key=f"{photo_id}:{match.list_name}")
        for match in _by_list(matches)
    ]
    return sum([await recorder.record(tx, finding) for finding in found])


async def record_profile_matches(
    tx: Transaction, recorder: FindingRecorder, matches: Sequence[HashMatch], *, user_id: int
) -> int:
    """Record a finding about an account for each list that has its avatar or banner; return the number of new ones."""
    found = [
        # Each image of an account counts.
        _finding(match, SubjectKind.USER, user_id, user_id, key=f"{user_id}:{match.sha256}:{match.list_name}")
        for match in _by_list(matches)
    ]
    return sum([await recorder.record(tx, finding) for finding in found])


def _by_list(matches: Sequence[HashMatch]) -> list[HashMatch]:
    """Return the nearest match of each list, by its name."""
    names = sorted({match.list_name for match in matches})
    return [nearest([each for each in matches if each.list_name == name]) for name in names]


def _finding(match: HashMatch, subject: SubjectKind, subject_id: int, account_id: int, *, key: str) -> Finding:
    by_original = match.distance is None
    return Finding(
        kind=FindingKind.LISTED_IMAGE,
        account_id=account_id,
        subject=subject,
        subject_id=subject_id,
        action=match.action,
        category=match.category,
        rule=match.list_name,
        key=f"{FindingKind.LISTED_IMAGE}:{key}",
        facts={
            "picture": match.sha256,
            "matched": "sha256" if by_original else "pdq",
            "entry": match.entry,
            **({} if by_original else {"distance": match.distance}),
        },
    )
