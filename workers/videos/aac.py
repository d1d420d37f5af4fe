"""The frames of an AAC stream (ISO/IEC 14496-3, 4.4.2.1): what comes before the sound in them is removed.

Encoders write their names there, and anything else may be there, too: a fill element or a data element.
"""

from __future__ import annotations

_SINGLE, _PAIR, _DATA, _FILL = 0, 1, 4, 6  # types of elements: one channel, two, and those without sound
_LC = 2
_MAX_CONFIG = 8  # bytes


def is_plain(config: bytes) -> bool:
    """Return whether a decoder's configuration is one of AAC-LC, without a description of its channels."""
    return 2 <= len(config) <= _MAX_CONFIG and config[0] >> 3 == _LC and (config[1] >> 3 & 15) in {1, 2}


def begins_with_sound(frame: bytes | memoryview) -> bool:
    """Return whether the first element of a frame has sound."""
    return len(frame) > 0 and frame[0] >> 5 in {_SINGLE, _PAIR}


def without_fill(frame: bytes) -> bytes:
    """Return a frame without the elements before its sound; what follows is not changed."""
    bits, start = int.from_bytes(frame, "big"), 0
    size = 8 * len(frame)

    def read(at: int, length: int) -> int:
        return bits >> max(0, size - at - length) & (1 << length) - 1

    while start + 15 <= size:
        kind = read(start, 3)
        if kind == _FILL:
            count, start = read(start + 3, 4), start + 7
            if count == 15:
                count, start = count + read(start, 8) - 1, start + 8
        elif kind == _DATA:
            aligned, count, start = read(start + 7, 1), read(start + 8, 8), start + 16
            if count == 255:
                count, start = count + read(start, 8), start + 8
            start += -start % 8 if aligned else 0
        else:
            break
        start += 8 * count
    if start == 0 or start >= size:
        return frame
    left = size - start
    return ((bits & (1 << left) - 1) << -left % 8).to_bytes(-(-left // 8), "big")
