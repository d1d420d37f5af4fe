"""The perceptual hash PDQ of an image, with Pillow alone; `storage.perceptual_hashes` has the source and the meaning.

The reference implementation blurs the luminance twice with a box of 1/128 of the image in each direction, takes 64 × 64
samples of it, and compares the lowest frequencies of their cosine transform with the median. Two boxes are a triangle,
so one step of Pillow's bilinear filter has the same result without passes over all pixels in Python.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import mul

from PIL import Image

from storage.perceptual_hashes import BITS, MAX_QUALITY, SIDE

_SAMPLES = 64  # in each direction
_STEPS = 2 * _SAMPLES  # widths of the box in an image
# The quality is the sum of the differences of neighbours in percent of the range, divided by this number.
_QUALITY_DIVISOR = 90
_RANGE = 255
_COSINES = [
    [
        math.sqrt(2 / _SAMPLES) * math.cos(math.pi / 2 / _SAMPLES * frequency * (2 * sample + 1))
        for sample in range(_SAMPLES)
    ]
    for frequency in range(1, SIDE + 1)
]

Rows = Sequence[Sequence[float]]


def pdq(image: Image.Image) -> tuple[int, int]:
    """Return the hash of an image as a number of 256 bits, and its quality from 0 to 100.

    320 pixels on the longest side suffice: the hash is within 18 bits of the reference for the whole image.
    """
    rows = _samples(image)
    coefficients = _transform(rows)
    median = sorted(coefficients)[BITS // 2 - 1]
    number = sum(1 << bit for bit, value in enumerate(coefficients) if value > median)
    return number, _quality(rows)


def _samples(image: Image.Image) -> Rows:
    """Return the luminance in 64 rows of 64 samples of the blurred image."""
    luminance = image.convert("RGB").convert("F")
    # Half a box is left out at each edge, so that of 127 samples each second one is in the middle of its 64th.
    left, top = image.width / _STEPS / 2, image.height / _STEPS / 2
    area = (left, top, image.width - left, image.height - top)
    count = _STEPS - 1
    small = luminance.resize((count, count), Image.Resampling.BILINEAR, box=area)
    values = array("f", small.tobytes())  # mode F: native floats of 32 bits
    return [values[row * count : (row + 1) * count : 2] for row in range(0, count, 2)]


def _transform(rows: Rows) -> list[float]:
    """Return the coefficients of the lowest frequencies but 0, row by row."""
    columns = list(zip(*rows, strict=True))
    half = [[sum(map(mul, cosine, column)) for column in columns] for cosine in _COSINES]
    return [sum(map(mul, row, cosine)) for row in half for cosine in _COSINES]


def _quality(rows: Rows) -> int:
    columns = zip(*rows, strict=True)
    total = sum(abs(int((one - other) * 100 / _RANGE)) for line in (*rows, *columns) for one, other in pairwise(line))
    return min(MAX_QUALITY, total // _QUALITY_DIVISOR)
