"""The encoding aesgcm: another implementation reads it, and the bounds are those of aes128gcm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.push import Browser
from workers.web_push.base64url import encode
from workers.web_push.encryption import MAX_PAYLOAD
from workers.web_push.legacy_encryption import encrypt_legacy

APP = Browser("https://push.example.com/1")


@given(payload=st.binary(max_size=MAX_PAYLOAD))
@settings(max_examples=30, deadline=None)
def test_another_implementation_reads_every_payload(payload: bytes) -> None:
    """By the salt and the public key, which are header fields."""
    made = encrypt_legacy(payload, p256dh=APP.p256dh, auth=APP.auth)
    headers = {
        "Content-Encoding": "aesgcm",
        "Encryption": f"salt={encode(made.salt)}",
        "Crypto-Key": f"dh={encode(made.public_key)}",
    }
    assert APP.decrypt(made.body, headers) == payload


def test_more_than_the_greatest_payload_is_refused() -> None:
    """A push service would refuse it."""
    with pytest.raises(ValueError, match="at most 3993 bytes; this has 3994"):
        encrypt_legacy(bytes(MAX_PAYLOAD + 1), p256dh=APP.p256dh, auth=APP.auth)
