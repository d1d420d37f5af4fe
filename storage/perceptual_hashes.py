"""Perceptual hashes (PDQ) as values: their text, the distance of two, and the hashes of the turned and mirrored image.

PDQ is a hash of 256 bits of what an image shows. Images that were scaled or encoded again differ in few bits, different
images in about half of them. Bit `16 * i + j`, counted from the least significant, says whether the coefficient of the
vertical frequency `i + 1` and the horizontal frequency `j + 1` is above the median of all. The text of a hash is its
number as 64 hexadecimal digits, as lists of hashes have it. Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ
Image-Hashing Algorithm", Facebook ThreatExchange, 2019.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

BITS = 256
DIGITS = BITS // 4
SIDE = 16  # frequencies in each direction
# Hashes with at most so many different bits are of the same image: the threshold of ThreatExchange's own matcher
# (`PDQ_CONFIDENT_MATCH_THRESHOLD` of python-threatexchange). Measured here: another encoding or size differs in up to
# 20 bits, another photograph in more than 100.
MAX_DISTANCE = 31
# Below it an image has too few edges for a hash: those of plain images resemble each other. ThreatExchange's
# documentation recommends to discard them.
MIN_QUALITY = 50
MAX_QUALITY = 100
BANDS = 16
_BAND_BITS = BITS // BANDS
_TEXT = re.compile(r"[0-9a-f]{64}")


def _mask(odd_rows: bool, odd_columns: bool) -> int:
    # The index 0 has the frequency 1, which is odd.
    return sum(
        1 << (SIDE * row + column)
        for row in range(SIDE)
        for column in range(SIDE)
        if ((row % 2 == 0) and odd_rows) != ((column % 2 == 0) and odd_columns)
    )


# To mirror an image negates its coefficients of odd frequencies in one direction. The median is nearly 0, so their bits
# change. It is not exactly 0: such a hash differs in up to 14 bits from that of the mirrored image.
_MIRRORS = (0, _mask(False, True), _mask(True, False), _mask(True, True))


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaHash:
    """The hashes of a picture: SHA-256 of its original, the text of its PDQ, and the quality of that, 0 to 100."""

    sha256: str
    pdq: str
    quality: int

    @property
    def comparable(self) -> bool:
        """Return whether the image has enough edges for its PDQ to be compared."""
        return self.quality >= MIN_QUALITY


def is_pdq(text: str) -> bool:
    """Return whether a text is a hash, in lower case."""
    return _TEXT.fullmatch(text) is not None


def text_of(number: int) -> str:
    """Return the text of a hash."""
    return f"{number:0{DIGITS}x}"


def distance(one: str, other: str) -> int:
    """Return the number of bits in which two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def orientations(pdq: str) -> list[str]:
    """Return the hashes of an image as it is, mirrored, turned, and both: eight, the image's own first.

    The others are nearly those of the images; see `_MIRRORS`.
    """
    number = int(pdq, 16)
    both = (number, _transposed(number))
    return list(dict.fromkeys(text_of(each ^ mirror) for each in both for mirror in _MIRRORS))


def bands(pdq: str) -> list[int]:
    """Return the sixteen parts of a hash as numbers that name the part, too: `part << 16 | bits`."""
    return [band << _BAND_BITS | bits for band, bits in _bands(pdq)]


def nearby_bands(pdq: str) -> list[int]:
    """Return the parts that a hash within `MAX_DISTANCE` has at least one of.

    Of at most 31 different bits, one of sixteen parts has at most one. So these are the parts of the hash itself, and
    those that differ from them in one bit.
    """
    changes = (0, *(1 << bit for bit in range(_BAND_BITS)))
    return [band << _BAND_BITS | bits ^ change for band, bits in _bands(pdq) for change in changes]


def _bands(pdq: str) -> Iterator[tuple[int, int]]:
    number = int(pdq, 16)
    for band in range(BANDS):
        yield band, number >> (_BAND_BITS * band) & ((1 << _BAND_BITS) - 1)


def _transposed(number: int) -> int:
    return sum(
        (number >> (SIDE * row + column) & 1) << (SIDE * column + row) for row in range(SIDE) for column in range(SIDE)
    )
