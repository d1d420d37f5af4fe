"""The scope of each operation: what Mastodon's documentation names, as PicShare's fine scopes have it."""

from __future__ import annotations

from server.edge.endpoint import Endpoint
from server.identity.scopes import ANY
from server.mastodon.endpoint import Route

_SAME = {
    "read:statuses": "read:photos",
    "read:favourites": "read:likes",
    "read:bookmarks": "read:collections",
    "read:filters": "read:accounts",
    "write:statuses": "write:photos",
    "write:favourites": "write:likes",
    "write:bookmarks": "write:collections",
}


def scope_of(endpoint: Endpoint) -> str | None:
    """Return the fine scope that an app needs for an operation; any token is enough for what visitors may see."""
    scope = endpoint.scope if isinstance(endpoint, Route) else None
    return _SAME.get(scope, scope) if scope else ANY
