"""Texts as signals compare them: what is the same comment, and what is a link."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Shorter ones, as "wow" or "so beautiful", are what many users write below many photos.
_MIN_LENGTH = 15
# Addresses with a scheme, with `www.`, or with one of the endings that spam is sent with most. A name of a file or a
# sentence without a space after its full stop is no link.
_LINK = re.compile(
    r"https?://[^\s]{4,}|\bwww\.[^\s]{4,}"
    r"|\b(?:[a-z0-9-]{1,63}\.){1,4}(?:com|net|org|info|biz|io|co|me|ru|cn|xyz|top|shop|site|online|club|live|link|ly)\b(?![.\w])",
    re.IGNORECASE,
)


def digest(text: str) -> str | None:
    """Return a digest of a text, the same for all that differ in case, spaces, marks and symbols alone.

    None for a text that is too short to be noticed.
    """
    normal = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if one.isalnum())
    if len(normal) < _MIN_LENGTH:
        return None
    return hashlib.blake2b(normal.encode(), digest_size=12).hexdigest()


def links(text: str) -> int:
    """Return the number of links in a text."""
    return len(_LINK.findall(unicodedata.normalize("NFKC", text)))
