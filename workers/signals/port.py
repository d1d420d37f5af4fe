"""The ports of signals: what users do, what a signal makes of it, and the counts that signals rely on.

A signal sees each act of its kinds, and returns a finding or None. It may be given an act twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from storage.abuse import Finding
from storage.reports import SubjectKind


class ActKind(StrEnum):
    """What a user did."""

    COMMENT = "comment"  # wrote or changed one
    CAPTION = "caption"  # of a photo that is ready
    FOLLOW = "follow"
    UNFOLLOW = "unfollow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What an account did, at the time of its event.

    `subject_id` is the comment, the photo or the account itself. `photo_id` is the photo of a text, `own` whether it is
    the account's own, `other_id` the account that is followed.
    """

    kind: ActKind
    account_id: int
    at: datetime
    subject: SubjectKind
    subject_id: int
    text: str = ""
    photo_id: int = 0
    own: bool = False
    other_id: int = 0


class Signal(Protocol):
    """One rule about what accounts do."""

    kinds: frozenset[ActKind]

    async def look(self, act: Act) -> Finding | None:
        """Return what an act shows together with recent ones, or None."""
        ...


class Recent(Protocol):
    """Counts of different members within a window; the adapter is `storage.limits.recent.RecentMembers`."""

    async def add(self, user_id: int, name: str, member: str, *, at: datetime, window: timedelta, most: int) -> int:
        """Add a member, and return the number of different ones in the window that ends `at`."""
        ...

    async def has(self, user_id: int, name: str, member: str, *, at: datetime, window: timedelta) -> bool:
        """Return whether a member was added in the window that ends `at`."""
        ...


class IsNew(Protocol):
    """Function that distinguishes new accounts from others."""

    async def __call__(self, account_id: int, at: datetime) -> bool:
        """Return whether an account is new at a time."""
        ...
