"""Proof Key for Code Exchange."""

from __future__ import annotations

import pytest

from server.identity.pkce import is_challenge, is_proof

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc() -> None:
    """The verifier proves the challenge."""
    assert is_challenge(CHALLENGE)
    assert is_proof(VERIFIER, CHALLENGE)


@pytest.mark.parametrize("verifier", ["", CHALLENGE, VERIFIER[:-1], VERIFIER + "=", "x" * 129, "\u00e9" * 50])
def test_anything_else_is_no_proof(verifier: str) -> None:
    """The challenge itself proves nothing, as it would by "plain"."""
    assert not is_proof(verifier, CHALLENGE)


@pytest.mark.parametrize("text", ["", CHALLENGE[:-1], CHALLENGE + "A", CHALLENGE[:-1] + "=", CHALLENGE[:-1] + "+"])
def test_texts_that_are_no_challenge(text: str) -> None:
    """A challenge is 32 bytes in base64url without padding."""
    assert not is_challenge(text)
