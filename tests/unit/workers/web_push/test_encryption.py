"""Encryption of push messages: the examples of the RFCs, another implementation, and the bounds."""

from __future__ import annotations

import http_ece
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.push import Browser
from workers.web_push.base64url import decode, encode
from workers.web_push.encryption import MAX_PAYLOAD, encrypt, encrypt_record
from workers.web_push.keys import parse_auth, parse_browser_key, point_of

BROWSER = Browser("https://push.example.com/1")


def private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Return a private key of a text in base64url."""
    return ec.derive_private_key(int.from_bytes(decode(text)), ec.SECP256R1())


def test_the_example_of_rfc_8291() -> None:
    """Appendix A: the keys of both sides, the salt, and the body of the request."""
    sender = private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    assert encode(point_of(sender.public_key())) == (
        "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    )
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=parse_browser_key(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=parse_auth("BTBZMqHH6r4Tts7J_aSIgg"),
        private_key=sender,
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3j"
        "l7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_the_example_of_rfc_8188() -> None:
    """Section 3.1: one record under a given key, without a key id."""
    record = encrypt_record(
        b"I am the walrus",
        keying=decode("yqdlZ-tYemfogSmv7Ws5PQ"),
        salt=decode("I1BsxtFttlv3u_Oo94xnmw"),
        key_id=b"",
    )
    assert encode(record) == "I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg"


@given(payload=st.binary(max_size=MAX_PAYLOAD))
@settings(max_examples=60, deadline=None)
def test_another_implementation_reads_every_payload(payload: bytes) -> None:
    """Of any bytes up to the greatest number, in a body that every push service accepts."""
    body = encrypt(payload, p256dh=BROWSER.p256dh, auth=BROWSER.auth)
    assert BROWSER.decrypt(body) == payload
    assert len(body) == len(payload) + 103 <= 4096


def test_the_greatest_payload() -> None:
    """3,993 bytes fill the body, and one more is refused."""
    assert len(encrypt(bytes(3993), p256dh=BROWSER.p256dh, auth=BROWSER.auth)) == 4096
    with pytest.raises(ValueError, match="at most 3993 bytes; this has 3994"):
        encrypt(bytes(3994), p256dh=BROWSER.p256dh, auth=BROWSER.auth)


def test_no_two_bodies_share_a_key_or_a_salt() -> None:
    """A second message with the same key and nonce would give both away."""
    bodies = {encrypt(b"", p256dh=BROWSER.p256dh, auth=BROWSER.auth) for _ in range(20)}
    assert len({body[:16] for body in bodies}) == len({body[21:86] for body in bodies}) == 20


def test_the_secret_of_the_browser_counts() -> None:
    """A push service knows the public key, but not this secret, so it cannot make messages."""
    body = encrypt(b"text", p256dh=BROWSER.p256dh, auth=bytes(16))
    with pytest.raises((InvalidTag, http_ece.ECEException)):
        BROWSER.decrypt(body)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "base64url"),
        ("a b", "base64url"),
        ("AAAAA", "a character too many or too few"),
        (encode(b"\x04" + bytes(63)), "65 bytes, not 64"),
        (encode(b"\x04" + bytes(64)), "a point of the curve"),
        (encode(b"\x04" + b"\x01" * 64), "a point of the curve"),
        (encode(b"\x03" + BROWSER.p256dh[1:]), "a point of the curve"),
        (encode(b"\x02" + BROWSER.p256dh[1:33]), "65 bytes, not 33"),
    ],
    ids=["empty", "space", "length", "short", "zero", "beside", "prefix", "compressed"],
)
def test_keys_that_are_none_are_refused(text: str, reason: str) -> None:
    """Points beside the curve above all; compressed ones are not what browsers have."""
    with pytest.raises(ValueError, match=reason):
        parse_browser_key(text)


@pytest.mark.parametrize("text", [encode(BROWSER.p256dh), encode(BROWSER.p256dh) + "="], ids=["bare", "padded"])
def test_keys_may_be_padded(text: str) -> None:
    """Some libraries pad them."""
    assert parse_browser_key(text) == BROWSER.p256dh


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_the_secret_has_sixteen_bytes(length: int) -> None:
    """Any other length is refused."""
    with pytest.raises(ValueError, match=r"16 bytes|base64url"):
        parse_auth(encode(bytes(length)))
