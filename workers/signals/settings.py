"""Thresholds of the signals; a module of its own, so that the settings can read the defaults without drivers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalSettings:
    """Which accounts are new, and from which numbers on a signal is a finding; the fields are those of `[abuse]`.

    An account is new for `new_account_hours`, and for `new_account_days` while it has fewer ready photos than
    `new_account_photos`.
    """

    new_account_hours: int = 24
    new_account_days: int = 30
    new_account_photos: int = 3
    repeated_comments: int = 5
    follow_churn: int = 50
    mass_follows: int = 500
    link_texts: int = 3

    def may_be_new(self, age: timedelta) -> bool:
        """Return whether an account of this age is new unless it has enough photos, or for its first hours."""
        return age < timedelta(days=self.new_account_days) or age < timedelta(hours=self.new_account_hours)

    def is_new(self, age: timedelta, photos: int) -> bool:
        """Return whether an account of this age, with so many ready photos, is new."""
        if age < timedelta(hours=self.new_account_hours):
            return True
        return age < timedelta(days=self.new_account_days) and photos < self.new_account_photos
