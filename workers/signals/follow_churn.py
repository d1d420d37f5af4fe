"""The signal of follows: very many of them, or followed accounts that are dropped again to be noticed twice."""

from __future__ import annotations

from datetime import timedelta

from storage.abuse import AbuseAction, Finding, FindingKind
from storage.reports import Category
from workers.signals.port import Act, ActKind, Recent
from workers.signals.settings import SignalSettings

WINDOW = timedelta(days=1)
_FOLLOWED, _DROPPED = "followed", "dropped"


class FollowChurn:
    """Finds an account that follows and drops `follow_churn` accounts, or follows `mass_follows`, within a day."""

    kinds = frozenset({ActKind.FOLLOW, ActKind.UNFOLLOW})

    def __init__(self, recent: Recent, settings: SignalSettings) -> None:
        self._recent = recent
        self._churn = settings.follow_churn
        self._mass = settings.mass_follows

    async def look(self, act: Act) -> Finding | None:
        """Count the account that is followed, or that is dropped within a day after it."""
        member = str(act.other_id)
        if act.kind is ActKind.FOLLOW:
            followed = await self._count(act, _FOLLOWED, member, most=max(self._mass, self._churn))
            return self._finding(act, "mass_follows", followed) if followed >= self._mass else None
        if not await self._recent.has(act.account_id, _FOLLOWED, member, at=act.at, window=WINDOW):
            return None
        dropped = await self._count(act, _DROPPED, member, most=self._churn)
        return self._finding(act, "follow_churn", dropped) if dropped >= self._churn else None

    async def _count(self, act: Act, name: str, member: str, *, most: int) -> int:
        return await self._recent.add(act.account_id, name, member, at=act.at, window=WINDOW, most=most)

    def _finding(self, act: Act, rule: str, accounts: int) -> Finding:
        return Finding(
            kind=FindingKind.FOLLOW_CHURN,
            account_id=act.account_id,
            subject=act.subject,
            subject_id=act.subject_id,
            action=AbuseAction.CASE,
            category=Category.SPAM,
            rule=rule,
            key=f"{rule}:{act.at:%Y-%m-%d}",
            facts={"accounts": accounts, "hours": int(WINDOW.total_seconds() / 3600)},
        )
