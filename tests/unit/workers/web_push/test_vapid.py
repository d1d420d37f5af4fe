"""The identity towards push services: keys in text, tokens that others verify, and how long one is kept."""

from __future__ import annotations

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.push import Pushed
from workers.web_push.base64url import decode, encode
from workers.web_push.vapid import VapidKey, VapidTokens

ENDPOINT = "https://push.example.net/p/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


class Clock:
    """A clock that a test sets; Unix time."""

    def __init__(self) -> None:
        self.now = 1_796_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def claims(value: str, audience: str = "https://push.example.net") -> dict[str, object]:
    """Return the claims of a header field, which another implementation verifies at any time."""
    found = Pushed(headers={"Authorization": value}, body=b"", payload=b"")
    scheme, token, key = value.replace(",", "").split(" ")
    assert scheme == "vapid"
    assert jwt.get_unverified_header(token.removeprefix("t=")) == {"typ": "JWT", "alg": "ES256"}
    assert len(decode(key.removeprefix("k="))) == 65
    parsed: dict[str, object] = found.claims(audience)
    return parsed


def test_the_example_of_rfc_8292_is_verified_and_read_in_the_same_way() -> None:
    """Section 2.4: our verification accepts its token by its key, so what it accepts of ours has the same form."""
    token = (
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1Yi"
        "I6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L"
        "9OkSSHzvoD1oA"
    )
    key = decode("BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    read = jwt.decode(
        token, public, algorithms=["ES256"], audience="https://push.example.net", options={"verify_exp": False}
    )
    assert read == {"aud": "https://push.example.net", "exp": 1453523768, "sub": "mailto:push@example.com"}
    clock = Clock()
    clock.now = 1453523768 - 12 * 3600
    value = VapidTokens(VapidKey.generate(), contact="mailto:push@example.com", clock=clock).authorization(ENDPOINT)
    ours = value.split(" ")[1].removeprefix("t=").rstrip(",")
    assert ours.split(".")[:2] == token.split(".")[:2]


def test_a_token_is_for_the_origin_and_half_a_day() -> None:
    """The endpoint itself is not in it."""
    clock = Clock()
    clock.now = time.time()
    key = VapidKey.generate()
    value = VapidTokens(key, contact="mailto:push@example.com", clock=clock).authorization(ENDPOINT)
    assert claims(value) == {
        "aud": "https://push.example.net",
        "exp": int(clock.now) + 12 * 3600,
        "sub": "mailto:push@example.com",
    }
    assert value.endswith(f"k={key.public}")
    other = VapidTokens(key, contact=None, clock=clock).authorization("https://push.example.net:8443/p/1")
    assert claims(other, "https://push.example.net:8443").keys() == {"aud", "exp"}


def test_a_token_is_kept_for_its_push_service_until_an_hour_before_its_end() -> None:
    """A signature costs as much as the rest of a message."""
    clock = Clock()
    tokens = VapidTokens(VapidKey.generate(), contact=None, clock=clock)
    first = tokens.authorization(ENDPOINT)
    assert tokens.authorization("https://push.example.net/another") == first
    assert tokens.authorization("https://push.example.org/p/1") != first
    clock.now += 11 * 3600 - 1
    assert tokens.authorization(ENDPOINT) == first
    clock.now += 1
    assert tokens.authorization(ENDPOINT) != first


def test_no_more_than_a_thousand_tokens_are_kept() -> None:
    """The one of the push service that was used first is forgotten."""
    tokens = VapidTokens(VapidKey.generate(), contact=None, clock=Clock())
    first = tokens.authorization("https://h0.example.com/")
    for number in range(1, 1001):
        tokens.authorization(f"https://h{number}.example.com/")
    assert tokens.authorization("https://h0.example.com/") != first


def test_a_key_returns_from_its_text() -> None:
    """The text is the private number, and surrounding space does no harm."""
    key = VapidKey.generate()
    again = VapidKey.parse(f" {key.text}\n")
    assert (again.text, again.public) == (key.text, key.public)
    assert len(decode(key.text)) == 32
    # Numbers with leading zeros keep their length.
    assert VapidKey.parse(encode((1).to_bytes(32))).text == encode((1).to_bytes(32))


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(33), bytes(32), b"\xff" * 32])
def test_a_text_that_is_no_key_is_refused_without_repeating_it(secret: bytes) -> None:
    """Also zero, and a number beyond the order of the curve."""
    text = encode(secret)
    with pytest.raises(ValueError, match=r"32 bytes|curve|base64url") as caught:
        VapidKey.parse(text)
    assert not text or text not in str(caught.value)
