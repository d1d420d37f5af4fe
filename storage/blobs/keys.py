"""The keys of the blob store.

| key | object |
|---|---|
| `incoming/<upload>/whole` | what a client is uploading, until its photo is created |
| `incoming/<upload>/part-<offset>-<request>` | the bytes of a resumable upload from `offset` on, which has 12 digits |
| `original/<aa>/<sha256>` | an original (private), named by its hash in hex; `aa` are the hash's first two digits |
| `variant/<aa>/<sha256>/r<recipe>/<size>.<format>` | what was made from it to be served (`storage.blobs.variants`) |
| `variant/<aa>/<sha256>/poster.jpg` | the still image of a video, from which its images are made; it is not served |
| `export/<export>.zip` | the archive of an export (private), by its id in text |

Originals and variants are content-addressed: a key always holds the same image, so writing it twice is harmless. No
key is a directory of another one. Variants had the keys `variant/<aa>/<sha256>/{thumb,feed}.jpg` before there were
recipes; objects that still have them are not read any more, and are deleted with their original.
"""

from __future__ import annotations

import re

EXPORTS = "export/"  # the prefix of all archives of exports
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_KEY = re.compile(rf"[a-z]+(?:/{_PART}){{1,8}}", re.ASCII)
_PREFIX = re.compile(rf"[a-z]+/(?:{_PART}/){{0,7}}", re.ASCII)


def is_key(text: str) -> bool:
    """Return whether a text can be the key of an object: words of safe characters, joined by "/"."""
    return _KEY.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Return whether a text can be the prefix of keys that ends with "/"."""
    return _PREFIX.fullmatch(text) is not None


def incoming_key(upload: str) -> str:
    """Return the key of a whole upload."""
    return f"{incoming_prefix(upload)}whole"


def part_key(upload: str, offset: int, request: str = "0") -> str:
    """Return the key of the part of an upload that begins at a byte, as one request has sent it."""
    return f"{incoming_prefix(upload)}part-{offset:012}-{request}"


def incoming_prefix(upload: str) -> str:
    """Return the prefix of everything that belongs to an upload."""
    return f"incoming/{upload}/"


def original_key(sha256: str) -> str:
    """Return the key of an original."""
    return f"original/{sha256[:2]}/{sha256}"


def export_key(export: str) -> str:
    """Return the key of the archive of an export."""
    return f"{EXPORTS}{export}.zip"


def variant_key(sha256: str, recipe: int, name: str) -> str:
    """Return the key of a variant by its name, e.g. "320.jpg"."""
    return f"{variants_prefix(sha256)}r{recipe}/{name}"


def poster_key(sha256: str) -> str:
    """Return the key of the poster of a video."""
    return f"{variants_prefix(sha256)}poster.jpg"


def variants_prefix(sha256: str) -> str:
    """Return the prefix of all variants of an original."""
    return f"variant/{sha256[:2]}/{sha256}/"
