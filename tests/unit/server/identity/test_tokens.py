"""Access tokens and cursors: valid ones are accepted, all others rejected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.paging import BadCursorError, Cursors
from server.identity import tokens
from server.identity.tokens import AccessTokens, TokenError
from storage.ids import MAX_ID
from storage.models import Role

SECRET = b"a secret for tests, 32 bytes long"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_100.0

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.now


@pytest.mark.parametrize("now", [1_600_000_000.0, 4_000_000_000.0])
def test_a_token_carries_its_claims(now: float) -> None:
    """Verifying a token returns the claims with which it was issued; only the clock that was given counts."""
    clock = Clock()
    clock.now = now
    access = AccessTokens(SECRET, ttl=900, clock=clock)
    claims = access.verify(access.issue(user_id=7, session="s", role=Role.MODERATOR))
    assert (claims.user_id, claims.session, claims.role) == (7, "s", Role.MODERATOR)
    assert claims.expires_at == int(clock.now) + 900


def test_a_cached_token_expires() -> None:
    """A verified token is not decoded again, but its expiry is checked each time; an expired one leaves the cache."""
    clock = Clock()
    access = AccessTokens(SECRET, ttl=900, clock=clock)
    token = access.issue(user_id=7, session="s", role=Role.USER)
    claims = access.verify(token)
    clock.now += 899
    assert access.verify(token) is claims
    clock.now += 1
    with pytest.raises(TokenError) as caught:
        access.verify(token)
    assert caught.value.expired
    assert not access._verified


def test_the_cache_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest tokens leave the cache, and are still valid."""
    monkeypatch.setattr(tokens, "CACHED", 3)
    access = AccessTokens(SECRET, ttl=900)
    issued = [access.issue(user_id=number, session="s", role=Role.USER) for number in range(10)]
    for token in issued * 2:
        access.verify(token)
        assert list(access._verified)[-1] == token
    assert list(access._verified) == issued[-3:]


def test_a_token_of_another_secret_is_rejected() -> None:
    """Only a signature with the own secret is valid."""
    foreign = AccessTokens(b"another secret of at least 32 bytes", ttl=900)
    with pytest.raises(TokenError) as caught:
        AccessTokens(SECRET, ttl=900).verify(foreign.issue(user_id=1, session="s", role=Role.USER))
    assert not caught.value.expired


@given(st.text(max_size=60))
def test_any_text_is_a_token_error(text: str) -> None:
    """No text raises any other exception."""
    with pytest.raises(TokenError):
        AccessTokens(SECRET, ttl=900).verify(text)


def test_a_long_token_is_rejected() -> None:
    """A token of more than 2 KiB is not decoded, even with a valid signature."""
    access = AccessTokens(SECRET, ttl=900)
    assert access.verify(access.issue(user_id=1, session="s" * 1200, role=Role.USER)).session == "s" * 1200
    with pytest.raises(TokenError):
        access.verify(access.issue(user_id=1, session="s" * 1500, role=Role.USER))


def test_a_short_secret_is_rejected() -> None:
    """A key shorter than the hash is an error (RFC 7518, 3.2)."""
    with pytest.raises(ValueError, match="32 bytes"):
        AccessTokens(b"x" * 31, ttl=900)
    AccessTokens(b"x" * 32, ttl=900)


def test_csrf_tokens_belong_to_their_session() -> None:
    """Each session has a CSRF token of its own, the same in every process."""
    assert (
        AccessTokens(SECRET, ttl=900).csrf("a")
        == AccessTokens(SECRET, ttl=900).csrf("a")
        != AccessTokens(SECRET, ttl=900).csrf("b")
    )
    assert len(AccessTokens(SECRET, ttl=900).csrf("a")) == 43  # 172 bits


@given(st.integers(0, MAX_ID), st.text(max_size=20))
def test_a_cursor_is_valid_in_its_own_list(position: int, listing: str) -> None:
    """Every position is decoded again, and is invalid in any other list."""
    cursors = Cursors(SECRET)
    cursor = cursors.encode(listing, position)
    assert cursors.decode(listing, cursor) == position
    for other in (listing + "x", "x" + listing):
        with pytest.raises(BadCursorError):
            cursors.decode(other, cursor)
    with pytest.raises(BadCursorError):
        Cursors(b"another secret of at least 32 bytes").decode(listing, cursor)


@given(st.text(max_size=40))
def test_any_other_text_is_an_invalid_cursor(text: str) -> None:
    """Invented cursors are rejected, both as numbers and as texts."""
    cursors = Cursors(SECRET)
    with pytest.raises(BadCursorError):
        cursors.decode("list", text)
    with pytest.raises(BadCursorError):
        cursors.decode_text("list", text)


def test_cursors_of_texts_and_numbers_do_not_mix() -> None:
    """The cursor of a text is invalid as a number, even when it is as long."""
    cursors = Cursors(SECRET)
    assert cursors.decode_text("users", cursors.encode_text("users", "ann")) == "ann"
    assert cursors.decode("users", None) is None
    with pytest.raises(BadCursorError):
        cursors.decode("users", cursors.encode_text("users", "ann"))


@pytest.mark.parametrize("shard", [0, 31, 32, 777, 1023])
def test_a_refresh_token_carries_its_shard(shard: int) -> None:
    """The shard is read from the text; the rest is random."""
    token, other = tokens.new_refresh_token(shard), tokens.new_refresh_token(shard)
    assert tokens.refresh_token_shard(token) == tokens.refresh_token_shard(other) == shard
    assert token[:2] == other[:2]
    assert token[2:] != other[2:]


def test_a_refresh_token_of_the_version_before_has_no_shard() -> None:
    """It is two characters shorter, also where its first two characters could be a shard."""
    assert tokens.refresh_token_shard("00" + "x" * 41) is None


@pytest.mark.parametrize("text", ["", "0", "00", "00" + "x" * 42, "00" + "x" * 44, "U0" + "x" * 43, "é0" + "x" * 43])
def test_a_text_that_is_no_refresh_token_is_refused(text: str) -> None:
    """A text of another length, or one that begins with no shard, is not looked up."""
    with pytest.raises(TokenError):
        tokens.refresh_token_shard(text)
