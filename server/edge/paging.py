"""Pages of lists, and the cursors with which they continue.

A cursor is a position and a short MAC over the list's name and that position, in URL-safe base 64. So one that was
invented, truncated, or taken from another list is rejected. It contains no secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_TAG_BYTES = 9
_MAX_LENGTH = 200


class BadCursorError(ValueError):
    """A text is not a cursor of this list."""


class Cursors:
    """Encode and decode cursors."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"picshare cursor", hashlib.sha256)

    def encode(self, listing: str, position: int) -> str:
        """Return the cursor of a position (0 to 2^63-1) in a list; `listing` names the list and its filter."""
        return self._sign(listing, position.to_bytes(8, "big"))

    def decode(self, listing: str, cursor: str | None) -> int | None:
        """Return the position, None for no cursor; raise `BadCursorError` for one of another list."""
        return None if cursor is None else int.from_bytes(self._verify(listing, cursor, exactly=8), "big")

    def encode_text(self, listing: str, position: str) -> str:
        """Return the cursor of a position that is a text of at most 100 bytes."""
        return self._sign(listing, position.encode())

    def decode_text(self, listing: str, cursor: str | None) -> str | None:
        """Return the text position, None for no cursor; raise `BadCursorError` for one of another list."""
        return None if cursor is None else self._verify(listing, cursor).decode()

    def _sign(self, listing: str, position: bytes) -> str:
        return base64.urlsafe_b64encode(position + self._tag(listing, position)).decode().rstrip("=")

    def _verify(self, listing: str, cursor: str, *, exactly: int | None = None) -> bytes:
        if len(cursor) > _MAX_LENGTH or not cursor.isascii():
            raise BadCursorError("This is not a cursor of this list. Start again without one.")
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise BadCursorError("This is not a cursor of this list. Start again without one.") from error
        position, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        wrong_size = exactly is not None and len(position) != exactly
        if wrong_size or not hmac.compare_digest(tag, self._tag(listing, position)):
            raise BadCursorError("This is not a cursor of this list. Start again without one.")
        return position

    def _tag(self, listing: str, position: bytes) -> bytes:
        # Keyed BLAKE2 (RFC 7693) is a MAC by itself and costs a third of HMAC; every page needs one.
        data = listing.encode() + b"\0" + position
        return hashlib.blake2b(data, key=self._key, digest_size=_TAG_BYTES).digest()


class Pager:
    """Pages of one list: query a store for `limit + 1` rows, then `cut` them to a page.

    `listing` names the list and its filter, so that a cursor is valid for no other list.
    """

    def __init__(self, cursors: Cursors, listing: str) -> None:
        self._cursors = cursors
        self._listing = listing

    def before(self, cursor: str | None) -> int | None:
        """Return the position of a cursor; raise `BadCursorError`."""
        return self._cursors.decode(self._listing, cursor)

    def cut(self, rows: Sequence[T], limit: int, position: Callable[[T], int]) -> tuple[list[T], str | None]:
        """Return the rows of the page, and the cursor of the next page if there are more rows than `limit`."""
        page = list(rows[:limit])
        if len(rows) <= limit:
            return page, None
        return page, self._cursors.encode(self._listing, position(page[-1]))
