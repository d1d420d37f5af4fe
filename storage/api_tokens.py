"""Opaque tokens of the API as they are found: whose they are, and what they permit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.models import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundToken:
    """A token that is valid; `user_id`, `session` and `role` are None for an application's own.

    `client_id` is None for a user's own, and `expires_at` for one that does not expire.
    """

    user_id: int | None
    session: str | None
    client_id: int | None
    scopes: Sequence[str]
    role: Role | None
    expires_at: datetime | None
