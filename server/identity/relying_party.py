"""PicShare as a relying party of WebAuthn (Level 3): options for authenticators, and the check of their answers.

Passkeys belong to the domain of the public URL. Browsers accept no address in its place, so a service on a loopback
address has the domain `localhost`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.identity.errors import PasskeyError
from storage import ids

NAME = "PicShare"
TIMEOUT = 300  # seconds in which an authenticator may answer
_MAX_CREDENTIAL_ID = 1023  # bytes (WebAuthn, section 7.1)
_TRANSPORTS = {item.value for item in AuthenticatorTransport}
_NOT_ACCEPTED = "This passkey is not accepted. Try again, or sign in another way."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCredential:
    """A credential that an authenticator has made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Assertion:
    """An answer of an authenticator that claims to be a user's, and is not verified yet."""

    user_id: int
    credential_id: bytes
    challenge: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """A verified answer: what the authenticator counts, and whether it has verified its user, by a PIN for example."""

    sign_count: int
    user_verified: bool


class RelyingParty:
    """Options and answers of authenticators; `public_url` is that of the service."""

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        host, origins = parts.hostname or "", [f"{parts.scheme}://{parts.netloc}"]
        if _is_address(host) and ip_address(host).is_loopback:
            port = f":{parts.port}" if parts.port else ""
            host, origins = "localhost", [f"{parts.scheme}://localhost{port}"]
        self.id = host
        self._origins = origins

    @property
    def available(self) -> bool:
        """Return whether browsers accept passkeys for the domain."""
        return not _is_address(self.id)

    def creation_options(
        self, challenge: bytes, *, user_id: int, username: str, display_name: str, present: Sequence[bytes]
    ) -> dict[str, Any]:
        """Return the options of a new credential; authenticators that have one of `present` make none."""
        options = generate_registration_options(
            rp_id=self.id,
            rp_name=NAME,
            user_id=ids.encode(user_id).encode(),
            user_name=username,
            user_display_name=display_name,
            challenge=challenge,
            timeout=TIMEOUT * 1000,
            # A sign-in without a username needs a credential that the authenticator finds by itself.
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in present],
        )
        return cast("dict[str, Any]", json.loads(options_to_json(options)))

    def request_options(self, challenge: bytes) -> dict[str, Any]:
        """Return the options of a sign-in by any passkey."""
        options = generate_authentication_options(rp_id=self.id, challenge=challenge, timeout=TIMEOUT * 1000)
        return cast("dict[str, Any]", json.loads(options_to_json(options)))

    def challenge_of_registration(self, credential: dict[str, Any]) -> bytes:
        """Return the challenge that a new credential claims to answer; raise `PasskeyError`."""
        with _refusing():
            return parse_client_data_json(
                parse_registration_credential_json(credential).response.client_data_json
            ).challenge

    def register(self, credential: dict[str, Any], challenge: bytes) -> NewCredential:
        """Verify a new credential; raise `PasskeyError`."""
        with _refusing():
            parsed = parse_registration_credential_json(credential)
            verified = verify_registration_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self._origins,
            )
        if len(verified.credential_id) > _MAX_CREDENTIAL_ID:
            raise PasskeyError(_NOT_ACCEPTED)
        transports = sorted({item.value for item in parsed.response.transports or ()} & _TRANSPORTS)
        return NewCredential(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            transports=transports,
        )

    def assertion(self, credential: dict[str, Any]) -> Assertion:
        """Return the user and the challenge that this answer claims to be of; raise `PasskeyError`."""
        with _refusing():
            parsed = parse_authentication_credential_json(credential)
            # The credentials are discoverable, so the authenticator names the user.
            handle = parsed.response.user_handle
            if handle is None:
                raise PasskeyError(_NOT_ACCEPTED)
            return Assertion(
                user_id=ids.decode(handle.decode()),
                credential_id=parsed.raw_id,
                challenge=parse_client_data_json(parsed.response.client_data_json).challenge,
            )

    def verify(self, credential: dict[str, Any], challenge: bytes, *, public_key: bytes, sign_count: int) -> Verified:
        """Verify an answer; raise `PasskeyError`, also if the authenticator counts no more uses than `sign_count`."""
        with _refusing():
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self._origins,
                credential_public_key=public_key,
                credential_current_sign_count=sign_count,
            )
        return Verified(sign_count=verified.new_sign_count, user_verified=verified.user_verified)


@contextmanager
def _refusing() -> Iterator[None]:
    """Translate what is raised for an answer that is malformed or wrong into `PasskeyError`."""
    try:
        yield
    except PasskeyError:
        raise
    except Exception as error:
        # The input is a client's, and the library passes it to several parsers (CBOR, COSE, ASN.1, X.509) with errors
        # of their own. None of them has a consequence but the refusal.
        log.info("passkey_refused", error=type(error).__name__, detail=str(error)[:200])
        raise PasskeyError(_NOT_ACCEPTED) from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
