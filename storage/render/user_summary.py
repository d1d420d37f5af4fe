"""The JSON of an account as it appears inside photos, comments and notifications."""

from __future__ import annotations

from typing import Any

from storage.ids import encode
from storage.models import UserSummary
from storage.render.images import media_path


def user_summary_fields(person: UserSummary) -> dict[str, Any]:
    """Return the fields of an author or actor, ready for JSON."""
    return {
        "id": encode(person.id),
        "username": person.username,
        "display_name": person.display_name,
        "avatar_url": None if person.avatar_sha256 is None else media_path(person.avatar_sha256, "thumb"),
    }
