"""The JSON of a user inside photos, comments and notifications."""

from __future__ import annotations

from typing import Any

from storage.ids import encode
from storage.models import UserSummary
from storage.render.images import media_path


def user_summary_fields(user: UserSummary) -> dict[str, Any]:
    """Return the fields of an author or actor, ready for JSON."""
    return {
        "id": encode(user.id),
        "username": user.username,
        "display_name": user.display_name,
        "avatar_url": None if user.avatar_sha256 is None else media_path(user.avatar_sha256, "thumb"),
    }
