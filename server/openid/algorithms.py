"""The algorithms with which ID tokens may be signed: asymmetric ones alone (RFC 8725, section 3.1).

With `none` anyone could make a token, and with HS256 anyone who knows the provider's public key, if it were taken for a
secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class KeyKind(NamedTuple):
    """What the key of an algorithm has to be: its type, and its curves if it has one."""

    type: str
    curves: frozenset[str] = frozenset()


_RSA = KeyKind("RSA")

ALGORITHMS: Mapping[str, KeyKind] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
    "ES256": KeyKind("EC", frozenset({"P-256"})),
    "ES384": KeyKind("EC", frozenset({"P-384"})),
    "ES512": KeyKind("EC", frozenset({"P-521"})),
    "EdDSA": KeyKind("OKP", frozenset({"Ed25519", "Ed448"})),
}
