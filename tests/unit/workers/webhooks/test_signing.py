"""Signatures of Standard Webhooks, compared with the package `standardwebhooks` and the specification's vectors."""

from __future__ import annotations

import base64
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from workers.webhooks import asymmetric, symmetric
from workers.webhooks.signing import Scheme, new_secret, public_key, scheme_of, signed_headers

MESSAGE, SECOND, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
OF_SPECIFICATION = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OF_SPECIFICATION_ASYMMETRIC = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="


def test_the_vectors_of_the_specification() -> None:
    """The signatures are those in the tests of the reference implementations."""
    headers = signed_headers([OF_SPECIFICATION, OF_SPECIFICATION_ASYMMETRIC], BODY, message=MESSAGE, second=SECOND)
    assert headers == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
    }


@given(body=st.text(st.characters(codec="utf-8")), number=st.integers(0, 3))
def test_the_reference_package_accepts_every_body(body: str, number: int) -> None:
    """A message that any one of several secrets has signed is valid for the receiver with this secret."""
    signing = [new_secret(Scheme.HMAC) for _ in range(4)]
    headers = dict(signed_headers(signing, body.encode(), message="msg_1", second=int(time.time())))
    Webhook(signing[number]).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret(Scheme.HMAC)).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing[number]).verify(body + " ", headers, json_parse=False)


def test_an_asymmetric_signature_is_verified_with_the_public_key() -> None:
    """The public key verifies exactly what the private key has signed."""
    secret = new_secret(Scheme.ED25519)
    shown = public_key(secret)
    assert shown is not None
    assert shown.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    header = signed_headers([secret], BODY, message=MESSAGE, second=SECOND)["webhook-signature"]
    version, _, signature = header.partition(",")
    assert version == "v1a"
    key.verify(base64.b64decode(signature), b"%s.%d.%s" % (MESSAGE.encode(), SECOND, BODY))
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature), b"%s.%d.%s" % (MESSAGE.encode(), SECOND + 1, BODY))


def test_new_secrets_have_the_form_of_their_scheme() -> None:
    """Both have 32 random bytes; a symmetric one has no public key."""
    secrets = {scheme: new_secret(scheme) for scheme in Scheme}
    assert {scheme: scheme_of(secret) for scheme, secret in secrets.items()} == {scheme: scheme for scheme in Scheme}
    assert len(symmetric.secret_key(secrets[Scheme.HMAC])) == 32
    assert asymmetric.private_key(secrets[Scheme.ED25519])
    assert public_key(secrets[Scheme.HMAC]) is None
    assert new_secret(Scheme.HMAC) != secrets[Scheme.HMAC]


@pytest.mark.parametrize("secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!"])
def test_other_secrets_are_refused(secret: str) -> None:
    """A symmetric secret has the prefix, and 24 to 64 bytes in base64."""
    with pytest.raises(ValueError, match=r"it should|base64"):
        symmetric.secret_key(secret)


@pytest.mark.parametrize("size", [23, 65])
def test_secrets_of_other_sizes_are_refused(size: int) -> None:
    """The specification sets both limits."""
    with pytest.raises(ValueError, match="24 to 64"):
        symmetric.secret_key(f"whsec_{base64.b64encode(bytes(size)).decode()}")


@pytest.mark.parametrize("secret", ["", "VEVTVA==", "whsk_VEVTVA==", "whsk_!"])
def test_other_private_keys_are_refused(secret: str) -> None:
    """A private key has the prefix, and 32 bytes in base64."""
    with pytest.raises(ValueError, match=r"it should|base64"):
        asymmetric.private_key(secret)
