"""The section `[abuse]`: which accounts are new, and what automatic rules take for abuse."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section
from workers.signals.settings import SignalSettings

_SIGNALS = SignalSettings()


class AbuseSection(Section):
    """Detection of abuse; docs/abuse-detection.md explains it. Limits of new accounts are in `[limits]`."""

    new_account_hours: int = Field(
        default=_SIGNALS.new_account_hours, ge=0, description="Hours for which every account is new."
    )
    new_account_days: int = Field(
        default=_SIGNALS.new_account_days,
        ge=0,
        description="Days for which an account is new while it has fewer photos than `new_account_photos`.",
    )
    new_account_photos: int = Field(
        default=_SIGNALS.new_account_photos, ge=0, description="Ready photos of an account that is not new any more."
    )
    repeated_comments: int = Field(
        default=_SIGNALS.repeated_comments,
        ge=2,
        le=1000,
        description="Photos below which an account writes the same comment within an hour, for a finding.",
    )
    follow_churn: int = Field(
        default=_SIGNALS.follow_churn,
        ge=2,
        le=10_000,
        description="Accounts that an account follows and no longer follows within a day, for a finding.",
    )
    mass_follows: int = Field(
        default=_SIGNALS.mass_follows,
        ge=2,
        le=10_000,
        description="Accounts that an account follows within a day, for a finding.",
    )
    link_texts: int = Field(
        default=_SIGNALS.link_texts,
        ge=1,
        le=1000,
        description="Comments and captions with links that a new account writes within an hour, for a finding.",
    )
    findings_days: int = Field(default=180, ge=1, description="Days for which findings are kept.")
