"""The JSON of a user inside photos, comments and notifications, and of the images of a profile."""

from __future__ import annotations

from typing import Any

from storage.ids import encode
from storage.models import User, UserSummary
from storage.render.images import former_path


def user_summary_fields(user: UserSummary | User) -> dict[str, Any]:
    """Return the fields of an author or actor, ready for JSON."""
    return {
        "id": encode(user.id),
        "username": user.username,
        "display_name": user.display_name,
        "avatar_url": avatar_url(user),
    }


def avatar_url(user: UserSummary | User) -> str | None:
    """Return the path of a user's avatar, or None."""
    return None if user.avatar_sha256 is None else former_path(user.avatar_sha256, "thumb")


def banner_url(user: User) -> str | None:
    """Return the path of a user's banner, or None."""
    return None if user.banner_sha256 is None else former_path(user.banner_sha256, "feed")
