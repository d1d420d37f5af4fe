"""The keys of a provider: a JSON Web Key Set (RFC 7517)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from server.openid.algorithms import ALGORITHMS
from server.openid.errors import ProviderResponseError
from server.openid.provider import json_object

MAX_KEYS = 100
_MIN_RSA_BITS = 2048
_PUBLIC_TYPES = frozenset(kind.type for kind in ALGORITHMS.values())


class UnknownKeyError(ProviderResponseError):
    """No key of the set has signed the token; the provider may have new ones."""


class ProviderKeys:
    """The public keys of a set that sign; others, as those of types that are not known, are left out."""

    def __init__(self, keys: Sequence[dict[str, Any]]) -> None:
        self._keys = keys

    @classmethod
    def parse(cls, body: bytes) -> ProviderKeys:
        """Return the keys of a document; raise `ProviderResponseError`."""
        keys = json_object(body, "key set").get("keys")
        if not isinstance(keys, list) or len(keys) > MAX_KEYS:
            raise ProviderResponseError("format", f"the key set has no list of up to {MAX_KEYS} keys")
        return cls([key for key in keys if isinstance(key, dict) and _signs(key)])

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK:
        """Return the key with an id; without one, the only key that fits the algorithm.

        Raises `UnknownKeyError`, and `ProviderResponseError` for a key that is not valid or too weak.
        """
        fitting = [key for key in self._keys if _fits(key, algorithm) and key_id in (None, key.get("kid"))]
        if len(fitting) != 1:
            raise UnknownKeyError("unknown_key", f"{len(fitting)} keys fit the ID token, instead of one")
        try:
            found = jwt.PyJWK.from_dict(fitting[0], algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise ProviderResponseError("key", "a key of the key set is not valid") from error
        if isinstance(found.key, RSAPublicKey) and found.key.key_size < _MIN_RSA_BITS:
            raise ProviderResponseError("key", f"a key of the key set has fewer than {_MIN_RSA_BITS} bits")
        return found


def _signs(key: dict[str, Any]) -> bool:
    return key.get("kty") in _PUBLIC_TYPES and key.get("use", "sig") == "sig" and "d" not in key


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    kind = ALGORITHMS[algorithm]
    return (
        key.get("kty") == kind.type
        and key.get("alg", algorithm) == algorithm
        and (not kind.curves or key.get("crv") in kind.curves)
    )
