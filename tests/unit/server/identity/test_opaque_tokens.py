"""The text of opaque tokens."""

from __future__ import annotations

import pytest

from server.identity.opaque_tokens import TokenKind, digest, is_opaque, new_token, shard_in


@pytest.mark.parametrize("kind", list(TokenKind))
@pytest.mark.parametrize("shard", [0, 31, 1023])
def test_a_token_names_its_kind_and_shard(kind: TokenKind, shard: int) -> None:
    """Its prefix is that of the kind; no two tokens are equal."""
    token = new_token(kind, shard)
    assert token.startswith(kind.value)
    assert shard_in(token, kind) == shard
    assert is_opaque(token)
    assert new_token(kind, shard) != token


def test_a_token_of_another_kind_is_none() -> None:
    """A refresh token is not accepted where an access token is expected."""
    token = new_token(TokenKind.REFRESH, 5)
    assert shard_in(token, TokenKind.ACCESS, TokenKind.PERSONAL) is None
    assert shard_in(token, TokenKind.ACCESS, TokenKind.REFRESH) == 5


def test_a_changed_text_is_none() -> None:
    """The checksum finds any single character that was changed, and what is too short or long."""
    token = new_token(TokenKind.PERSONAL, 77)
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        assert shard_in(token[:position] + other + token[position + 1 :], TokenKind.PERSONAL) is None
    for text in ("", "picshare_pat_", token[:-1], token + "A", token + "\n", token.upper(), "\udcff" + token[1:]):
        assert shard_in(text, TokenKind.PERSONAL) is None
    assert not is_opaque("a.b.c")


def test_the_digest_takes_any_text() -> None:
    """A header field may have bytes that are no UTF-8."""
    assert len(digest("\udcff")) == 32
