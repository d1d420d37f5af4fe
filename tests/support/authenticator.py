"""A software authenticator: it makes passkeys and signs with them, as a phone or a security key does."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey of an authenticator; `rp_id` and `origin` are what the browser tells it, `count` what it counts."""

    def __init__(self, *, rp_id: str, origin: str, verifies_user: bool = True) -> None:
        self.rp_id = rp_id
        self.origin = origin
        self.count = 0
        self.verifies_user = verifies_user
        self.credential_id = secrets.token_bytes(16)
        self.user_handle = ""
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return a new credential for `navigator.credentials.create()`; `changes` replace fields of the client data."""
        self.user_handle = options["user"]["id"]
        client_data = self._client_data("webauthn.create", options["challenge"], changes)
        numbers = self._key.public_key().public_numbers()
        # EC2 key of the curve P-256 for ES256 (RFC 9053).
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + cose
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(_ATTESTED) + attested}
        return self._credential(
            {"clientDataJSON": client_data, "attestationObject": cbor2.dumps(statement)}, transports=["internal"]
        )

    def sign(self, options: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Return the answer for `navigator.credentials.get()`."""
        self.count += 1
        client_data = self._client_data("webauthn.get", options["challenge"], changes)
        data = self._data(0)
        signature = self._key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        parts = {"clientDataJSON": client_data, "authenticatorData": data, "signature": signature}
        return self._credential(parts, userHandle=self.user_handle)

    def _data(self, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies_user else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _client_data(self, kind: str, challenge: str, changes: dict[str, Any]) -> bytes:
        fields = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**fields, **changes}).encode()

    def _credential(self, parts: dict[str, bytes], **more: Any) -> dict[str, Any]:
        encoded = _text(self.credential_id)
        response = {name: _text(part) for name, part in parts.items()}
        return {"id": encoded, "rawId": encoded, "type": "public-key", "response": {**response, **more}}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
