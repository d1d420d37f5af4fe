"""The section `[discover]`: what is proposed to users."""

from __future__ import annotations

from pydantic import Field, field_validator

from server.config.section import Section, Texts
from storage import texts


class DiscoverSection(Section):
    """What users are offered: trending photos and tags, and accounts to follow."""

    excluded_tags: Texts = Field(
        default=(), description="Tags that never trend; photos with them are shown as before, and may trend."
    )

    staff_picks: Texts = Field(default=(), description="Usernames of accounts that new users are suggested to follow.")

    @field_validator("excluded_tags")
    @classmethod
    def _are_tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(texts.tag(tag) for tag in value)
