"""The signal of repeated comments: one text below many photos."""

from __future__ import annotations

from datetime import timedelta

from storage.abuse import AbuseAction, Finding, FindingKind
from storage.reports import Category
from workers.signals.port import Act, ActKind, Recent
from workers.signals.settings import SignalSettings
from workers.signals.texts import digest

WINDOW = timedelta(hours=1)


class RepeatedComments:
    """Finds an account that writes the same comment below `repeated_comments` photos within an hour."""

    kinds = frozenset({ActKind.COMMENT})

    def __init__(self, recent: Recent, settings: SignalSettings) -> None:
        self._recent = recent
        self._limit = settings.repeated_comments

    async def look(self, act: Act) -> Finding | None:
        """Count the photo of a comment among those with the same text."""
        text = digest(act.text)
        # Authors thank below their own photos.
        if text is None or act.own:
            return None
        # A photo counts once: a discussion below one photo is no spam.
        name, member = f"comments:{text}", str(act.photo_id)
        photos = await self._recent.add(act.account_id, name, member, at=act.at, window=WINDOW, most=self._limit)
        if photos < self._limit:
            return None
        return Finding(
            kind=FindingKind.REPEATED_COMMENTS,
            account_id=act.account_id,
            subject=act.subject,
            subject_id=act.subject_id,
            action=AbuseAction.CASE,
            category=Category.SPAM,
            rule="repeated_comments",
            key=f"{FindingKind.REPEATED_COMMENTS}:{text}:{act.at:%Y-%m-%d}",
            facts={"photos": photos, "minutes": int(WINDOW.total_seconds() / 60)},
        )
