"""The signal of links: a new account whose comments and captions lead elsewhere."""

from __future__ import annotations

from datetime import timedelta

from storage.abuse import AbuseAction, Finding, FindingKind
from storage.reports import Category
from workers.signals.port import Act, ActKind, IsNew, Recent
from workers.signals.settings import SignalSettings
from workers.signals.texts import links

WINDOW = timedelta(hours=1)
_MANY = 5  # links in one text


class LinkSpam:
    """Finds a new account with links in `link_texts` texts within an hour, or with five of them in one text."""

    kinds = frozenset({ActKind.COMMENT, ActKind.CAPTION})

    def __init__(self, recent: Recent, settings: SignalSettings, is_new: IsNew) -> None:
        self._recent = recent
        self._limit = settings.link_texts
        self._is_new = is_new

    async def look(self, act: Act) -> Finding | None:
        """Count a text with links."""
        number = links(act.text)
        # Most texts have none, so that the account is rarely asked for.
        if not number or not await self._is_new(act.account_id, act.at):
            return None
        texts = await self._recent.add(
            act.account_id, "links", f"{act.subject}:{act.subject_id}", at=act.at, window=WINDOW, most=self._limit
        )
        if texts < self._limit and number < _MANY:
            return None
        return Finding(
            kind=FindingKind.LINK_SPAM,
            account_id=act.account_id,
            subject=act.subject,
            subject_id=act.subject_id,
            action=AbuseAction.CASE,
            category=Category.SPAM,
            rule="link_spam",
            key=f"{FindingKind.LINK_SPAM}:{act.at:%Y-%m-%d}",
            facts={"texts": texts, "links": number, "minutes": int(WINDOW.total_seconds() / 60)},
        )
