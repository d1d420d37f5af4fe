"""Tokens of apps in subscriptions: readable with the secret alone, and of one subscription."""

from __future__ import annotations

from workers.web_push.token_cipher import TokenCipher

CIPHER = TokenCipher(b"a secret")


def test_a_token_is_read_with_the_same_secret() -> None:
    """Of any process; no two texts of a token are the same."""
    texts = {CIPHER.encrypt("a-token", 5) for _ in range(3)}
    assert len(texts) == 3
    assert {TokenCipher(b"a secret").decrypt(text, 5) for text in texts} == {"a-token"}
    assert not any(b"a-token" in text for text in texts)


def test_a_text_is_of_no_use_elsewhere() -> None:
    """With another secret, for another subscription, or changed, it is no token."""
    text = CIPHER.encrypt("a-token", 5)
    assert TokenCipher(b"another secret").decrypt(text, 5) is None
    assert CIPHER.decrypt(text, 6) is None
    assert CIPHER.decrypt(text[:-1] + bytes([text[-1] ^ 1]), 5) is None
