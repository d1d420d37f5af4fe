"""Applications of other developers, and what is stored of their authorizations (OAuth 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """An application; `owner_id` is None for one that registered itself, `secret_sha256` for a public one.

    `scopes` is the most that it may ask for. With `refreshes` its tokens expire, and it refreshes them.
    """

    id: int
    owner_id: int | None
    name: str
    website: str
    redirect_uris: Sequence[str]
    scopes: Sequence[str]
    secret_sha256: bytes | None
    refreshes: bool
    created_at: datetime

    @property
    def confidential(self) -> bool:
        """Return whether the application can keep a secret, and has one."""
        return self.secret_sha256 is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizationCode:
    """A code that a user has given to an application; `challenge` is that of PKCE by S256, if there is one."""

    user_id: int
    client_id: int
    redirect_uri: str
    challenge: str | None
    scopes: Sequence[str]
    expired: bool
    used: bool
    session: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshableToken:
    """A token by its refresh token; `used` if that was exchanged before, `valid` unless it has expired or was ended."""

    user_id: int
    client_id: int
    session: str
    scopes: Sequence[str]
    used: bool
    valid: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalToken:
    """A user's own token as its user sees it; `session` identifies it."""

    session: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectedApplication:
    """An application that has tokens of a user: their scopes together, since when, and when one was last used."""

    application: Application
    scopes: Sequence[str]
    granted_at: datetime
    last_used_at: datetime | None
