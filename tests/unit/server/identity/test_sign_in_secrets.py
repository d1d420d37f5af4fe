"""What is signed and encrypted for sign-ins: challenges, device tokens, and the secrets of second factors."""

from __future__ import annotations

import pytest

from server.identity.challenges import TTL, Challenges
from server.identity.device_tokens import MOST, DeviceTokens
from server.identity.errors import ChallengeError
from server.identity.secret_box import SecretBox, UnreadableError

SECRET = b"a secret for tests, 32 bytes long"


def test_a_challenge_is_valid_for_five_minutes() -> None:
    """It names the account and what it is for, until it expires."""
    now = [1000.0]
    challenges = Challenges(SECRET, clock=lambda: now[0])
    text = challenges.mint(7, "hash", restore=True)
    found = challenges.verify(text)
    assert (found.user_id, found.restore, found.credential) == (7, True, challenges.credential("hash"))
    assert challenges.verify(challenges.mint(7, "hash")).restore is False
    assert challenges.credential("another hash") != found.credential
    now[0] += TTL
    with pytest.raises(ChallengeError):
        challenges.verify(text)


@pytest.mark.parametrize("text", ["", "a", "a.b.c.d.e.f", "é.b", "." * 400])
def test_other_texts_are_no_challenges(text: str) -> None:
    """What was not signed with this key is refused, and so is a challenge with another account in it."""
    challenges = Challenges(SECRET)
    mine = challenges.mint(7, "hash")
    for forged in (text, mine[:-1], f"8{mine[1:]}", Challenges(b"x" * 32).mint(7, "hash")):
        with pytest.raises(ChallengeError):
            challenges.verify(forged)


def test_a_device_token_knows_the_last_accounts() -> None:
    """A browser is known to the accounts that signed in last; a foreign or damaged token is known to none."""
    tokens, token = DeviceTokens(SECRET), ""
    for user_id in range(MOST + 1):
        token = tokens.extended(token, user_id)
    assert [user_id for user_id in range(MOST + 2) if tokens.knows(token, user_id)] == list(range(1, MOST + 1))
    assert tokens.extended(token, MOST) == token
    for foreign in ("", "~~~", "é~\udcff", DeviceTokens(b"x" * 32).extended("", 1)):
        assert not tokens.knows(foreign, 1)
        assert len(tokens.extended(foreign * 100, 1)) < 200


def test_a_secret_belongs_to_its_owner() -> None:
    """It is decrypted with the same key for the same owner alone."""
    box = SecretBox(SECRET, "second factor")
    encrypted = box.encrypt(b"plain", owner_id=1)
    assert b"plain" not in encrypted
    assert box.decrypt(encrypted, owner_id=1) == b"plain"
    for other, owner_id in ((box, 2), (SecretBox(b"x" * 32, "second factor"), 1), (SecretBox(SECRET, "another"), 1)):
        with pytest.raises(UnreadableError):
            other.decrypt(encrypted, owner_id=owner_id)
    with pytest.raises(UnreadableError):
        box.decrypt(b"", owner_id=1)
