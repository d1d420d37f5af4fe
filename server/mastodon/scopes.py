"""The scope of each operation: the one that Mastodon's documentation names."""

from __future__ import annotations

from server.edge.endpoint import Endpoint
from server.identity.scopes import ANY
from server.mastodon.endpoint import Route


def scope_of(endpoint: Endpoint) -> str | None:
    """Return the scope that an app needs for an operation; any token is enough for what visitors may see."""
    return (endpoint.scope if isinstance(endpoint, Route) else None) or ANY
