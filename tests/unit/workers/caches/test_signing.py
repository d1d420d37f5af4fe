"""Signatures of Standard Webhooks."""

from __future__ import annotations

import pytest

from workers.caches.signing import secret_key, signed_headers


def test_the_vector_of_the_specification() -> None:
    """The signature is the one in the reference implementations' tests."""
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(key, b'{"test": 2432232314}', message="msg_p5jXN8AQM9LWM0D4loKWxJek", second=1_614_265_330)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!"])
def test_other_secrets_are_refused(secret: str) -> None:
    """A secret has the prefix, and 24 to 64 bytes in base64."""
    with pytest.raises(ValueError, match=r"it should|base64"):
        secret_key(secret)
