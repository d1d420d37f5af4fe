"""Opaque tokens in text: a prefix that names their kind, the shard that has their row, randomness, and a checksum.

`picshare_pat_` begins a user's own token, which scanners of published source code find by this prefix. The checksum
spares them false finds, and spares the database look-ups of texts that were never issued.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from enum import StrEnum

from storage import ids

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM = 32  # characters, of 190 bits
_CHECKSUM = 6  # characters, of 32 bits
_FORM = re.compile(
    rf"(picshare_[a-z]{{3}}_)([0-9A-HJKMNP-TV-Z]{{2}})[0-9A-Za-z]{{{_RANDOM}}}([0-9A-Za-z]{{{_CHECKSUM}}})"
)


class TokenKind(StrEnum):
    """What a token is for; the value is its prefix."""

    PERSONAL = "picshare_pat_"
    ACCESS = "picshare_oat_"
    REFRESH = "picshare_ort_"
    CODE = "picshare_oac_"
    SECRET = "picshare_ocs_"  # noqa: S105 - a prefix


def new_token(kind: TokenKind, shard: int) -> str:
    """Return a new token whose row is in `shard`."""
    body = kind + ids.encode_shard(shard) + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def shard_in(token: str, *kinds: TokenKind) -> int | None:
    """Return the shard in a token of one of these kinds, None for any other text."""
    found = _FORM.fullmatch(token)
    if found is None or found[1] not in kinds or _checksum(token[:-_CHECKSUM]) != found[3]:
        return None
    return ids.decode_shard(found[2])


def is_opaque(token: str) -> bool:
    """Return whether a text claims to be an opaque token, by its prefix."""
    return token.startswith("picshare_")


def digest(token: str) -> bytes:
    """Return the SHA-256 under which a token is stored; the token itself is not."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def _checksum(body: str) -> str:
    value, symbols = zlib.crc32(body.encode()), []
    for _ in range(_CHECKSUM):
        value, index = divmod(value, len(_ALPHABET))
        symbols.append(_ALPHABET[index])
    return "".join(reversed(symbols))
