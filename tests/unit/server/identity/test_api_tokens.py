"""Verification of opaque tokens: rare look-ups, and what a token stands for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.identity.api_tokens import LIVE_SECONDS
from server.identity.errors import RateLimitedError
from server.identity.opaque_tokens import TokenKind, new_token
from server.identity.tokens import TokenError
from storage.models import Role
from tests.support.api_tokens import found_token, known_tokens
from tests.support.memory_quotas import MemoryQuotas

ADDRESS = "203.0.113.1"
TOKEN = new_token(TokenKind.ACCESS, 7)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def test_a_token_is_looked_up_once_in_a_while() -> None:
    """It is found again without the database until an access token would have expired."""
    clock, lookups, quotas = Clock(), list[bytes](), MemoryQuotas()
    tokens = known_tokens({TOKEN: found_token()}, clock=clock, lookups=lookups, quotas=quotas)
    for _ in range(3):
        await tokens.verify(TOKEN, address=ADDRESS)
    assert (len(lookups), len(quotas.charged)) == (1, 1)
    clock.now += 899
    await tokens.verify(TOKEN, address=ADDRESS)
    assert len(lookups) == 1
    clock.now += 1
    await tokens.verify(TOKEN, address=ADDRESS)
    assert len(lookups) == 2


async def test_a_token_that_expires_is_not_kept_for_longer() -> None:
    """At its expiry the database is asked, which does not find it."""
    clock, lookups = Clock(), list[bytes]()
    expires_at = datetime.fromtimestamp(clock.now + 60, UTC)
    tokens = known_tokens({TOKEN: found_token(expires_at=expires_at)}, clock=clock, lookups=lookups)
    claims = await tokens.verify(TOKEN, address=ADDRESS)
    assert claims is not None
    assert claims.expires_at == clock.now + 60
    clock.now += 60
    await tokens.verify(TOKEN, address=ADDRESS)
    assert len(lookups) == 2


async def test_unknown_tokens_are_charged_to_the_address() -> None:
    """A flood of them is refused before the database, and a malformed one charges nothing."""
    lookups, quotas = list[bytes](), MemoryQuotas("token_lookups")
    tokens = known_tokens({}, lookups=lookups, quotas=quotas)
    with pytest.raises(RateLimitedError):
        await tokens.verify(TOKEN, address=ADDRESS)
    with pytest.raises(TokenError):
        await tokens.verify(TOKEN[:-1], address=ADDRESS)
    assert (lookups, quotas.charged) == ([], [("token_lookups", f"addr:{ADDRESS}")])


async def test_other_kinds_are_no_access_tokens() -> None:
    """A refresh token, a code and a secret are refused without a look-up."""
    lookups = list[bytes]()
    tokens = known_tokens({}, lookups=lookups)
    for kind in (TokenKind.REFRESH, TokenKind.CODE, TokenKind.SECRET):
        with pytest.raises(TokenError):
            await tokens.verify(new_token(kind, 7), address=ADDRESS)
    assert lookups == []


@pytest.mark.parametrize(("scopes", "role"), [(("read", "write"), Role.USER), (("read", "moderation"), Role.MODERATOR)])
async def test_the_role_of_a_token(scopes: tuple[str, ...], role: Role) -> None:
    """An application that a moderator uses is a user like any other, unless it may moderate."""
    tokens = known_tokens({TOKEN: found_token(scopes=scopes, role=Role.MODERATOR)})
    claims = await tokens.verify(TOKEN, address=ADDRESS)
    assert claims is not None
    assert claims.role is role


async def test_a_token_without_expiry_lets_live_connections_live_for_a_day() -> None:
    """Then their clients send it again; timers of browsers end at 24 days."""
    clock = Clock()
    claims = await known_tokens({TOKEN: found_token()}, clock=clock).verify(TOKEN, address=None)
    assert claims is not None
    assert claims.expires_at == clock.now + LIVE_SECONDS


async def test_a_token_of_an_application_without_a_user_is_not_kept() -> None:
    """It has no session whose revocation Redis would know, so every use looks it up."""
    lookups = list[bytes]()
    tokens = known_tokens({TOKEN: found_token(user_id=None, client_id=3)}, lookups=lookups)
    for _ in range(2):
        assert await tokens.verify(TOKEN, address=ADDRESS) is None
    assert len(lookups) == 2
