"""Identifiers: 63-bit integers that sort by time and carry the shard of their owner.

Layout, most significant first: 41 bits of milliseconds since 2026-01-01T00:00:00Z, 12 bits of a
per-process sequence that starts at a random point, 10 bits of logical shard. They are generated without
coordination: of two processes that generate the same id, one violates the unique key and generates another.

In text an id is 13 characters of Crockford's base 32 (https://www.crockford.com/base32.html), most
significant first, so that text order is time order and JavaScript loses no digits.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

EPOCH_MS = 1_767_225_600_000
_FIRST_DAY_MS = 86_400_000
SHARD_BITS = 10
SEQUENCE_BITS = 12
SHARDS = 1 << SHARD_BITS
SLOT_GROUPS = 16
MAX_ID = (1 << 63) - 1
TEXT_LENGTH = 13
SHARD_LENGTH = 2  # of a shard in text

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {symbol: value for value, symbol in enumerate(_ALPHABET)}


class BadIdError(ValueError):
    """Raised for a text that is not an id: wrong length, an invalid character, or more than 63 bits."""


class IdGenerator:
    """Generator of the ids of one process; its ids strictly increase, even if the clock is set back."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sequence = secrets.randbits(SEQUENCE_BITS)
        self._last_ms = 0

    def new(self, shard: int) -> int:
        """Return a new id in `shard` (0–1023), greater than every earlier one of this generator."""
        now = int(self._clock() * 1000) - EPOCH_MS
        if now > self._last_ms:
            # A random start in each millisecond makes a collision between processes unlikely. It is in the lower
            # half, so that the sequence has room to grow within the millisecond.
            self._last_ms, self._sequence = now, secrets.randbits(SEQUENCE_BITS - 1)
        else:
            self._sequence += 1
            if self._sequence >> SEQUENCE_BITS:
                self._last_ms, self._sequence = self._last_ms + 1, secrets.randbits(SEQUENCE_BITS - 1)
        return (self._last_ms << (SEQUENCE_BITS + SHARD_BITS)) | (self._sequence << SHARD_BITS) | shard


def draw_shard() -> int:
    """Return a uniformly distributed random shard (0–1023) for a new account."""
    return secrets.randbelow(SHARDS)


def shard_of(identifier: int) -> int:
    """Return the logical shard (0–1023) that an id carries."""
    return identifier & (SHARDS - 1)


def slot_group(user_id: int) -> int:
    """Return a user's Redis slot group (0–15): the shard's top bits, so that a range of shards has few groups."""
    return shard_of(user_id) * SLOT_GROUPS // SHARDS


def milliseconds_of(identifier: int) -> int:
    """Return the time at which an id was generated, in milliseconds since the Unix epoch."""
    return (identifier >> (SEQUENCE_BITS + SHARD_BITS)) + EPOCH_MS


def first_id_at(seconds: float) -> int:
    """Return the lower bound of the ids that are generated from a time on, in seconds since the Unix epoch."""
    return max(int(seconds * 1000) - EPOCH_MS, 0) << (SEQUENCE_BITS + SHARD_BITS)


def backdated(seconds: float, shard: int) -> int:
    """Return a new id that sorts by an earlier time, in seconds since the Unix epoch; it may be taken, as any other.

    Times before the first day of the ids has ended share that day, in their order.
    """
    milliseconds = int(seconds * 1000) - EPOCH_MS
    if milliseconds < _FIRST_DAY_MS:
        milliseconds = max(milliseconds + EPOCH_MS, 0) * _FIRST_DAY_MS // (EPOCH_MS + _FIRST_DAY_MS)
    return (milliseconds << (SEQUENCE_BITS + SHARD_BITS)) | (secrets.randbits(SEQUENCE_BITS) << SHARD_BITS) | shard


def span(duration: timedelta) -> int:
    """Return the difference between two ids that were generated so long after each other."""
    return int(duration.total_seconds() * 1000) << (SEQUENCE_BITS + SHARD_BITS)


def encode(identifier: int) -> str:
    """Return the 13-character text of an id."""
    symbols = [""] * TEXT_LENGTH
    for position in range(TEXT_LENGTH - 1, -1, -1):
        symbols[position] = _ALPHABET[identifier & 31]
        identifier >>= 5
    return "".join(symbols)


def decode(text: str) -> int:
    """Return the id of a 13-character text in either case; raise `BadIdError` for any other text."""
    if len(text) != TEXT_LENGTH:
        raise BadIdError(f"An id has {TEXT_LENGTH} characters; this has {len(text)}.")
    identifier = 0
    # Letters outside ASCII may have capitals inside it, even two.
    for symbol in text.upper() if text.isascii() else text:
        value = _VALUES.get(symbol)
        if value is None:
            raise BadIdError("An id has only the characters 0-9 and A-Z without I, L, O and U.")
        identifier = identifier << 5 | value
    if identifier > MAX_ID:
        raise BadIdError("An id has at most 63 bits; this is greater.")
    return identifier


def encode_shard(shard: int) -> str:
    """Return the two characters of a shard, in the same alphabet."""
    return _ALPHABET[shard >> 5] + _ALPHABET[shard & 31]


def decode_shard(text: str) -> int:
    """Return the shard of two characters; raise `BadIdError` for any other text."""
    if len(text) != SHARD_LENGTH or not all(symbol in _VALUES for symbol in text):
        raise BadIdError("A shard has two characters of 0-9 and A-Z without I, L, O and U.")
    return _VALUES[text[0]] << 5 | _VALUES[text[1]]


def pack_ids(ids: Sequence[int]) -> bytes:
    """Return ids as 8 bytes each, big-endian, in the order given."""
    return struct.pack(f">{len(ids)}Q", *ids)


def unpack_ids(packed: bytes) -> Sequence[int]:
    """Return the ids of 8 bytes each."""
    return struct.unpack(f">{len(packed) // 8}Q", packed)
