"""The scope of each operation: what Mastodon's documentation names, as PicShare's fine scopes have it."""

from __future__ import annotations

_SAME = {
    "read:statuses": "read:photos",
    "read:favourites": "read:likes",
    "read:bookmarks": "read:collections",
    "read:filters": "read:accounts",
    "write:statuses": "write:photos",
    "write:favourites": "write:likes",
    "write:bookmarks": "write:collections",
}


def fine_scope(scope: str) -> str:
    """Return the fine scope that an app needs, "" for none."""
    return _SAME.get(scope, scope)
