"""The units of an H.264 stream (ITU-T H.264, 7.3.1) in the form that MP4 files have (ISO/IEC 14496-15).

Of a stream only the coded pictures and their parameters are kept. What else a stream may carry has no effect on them:
texts of encoders and cameras (SEI), delimiters, padding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8
PICTURES = frozenset({_SLICE, _IDR})
_PROFILES = frozenset({66, 77, 100})  # Baseline, Main, High: eight bits, 4:2:0
_HIGH = 100
_HIGH_FORMAT = b"\xfd\xf8\xf8\x00"  # 4:2:0, eight bits each, no extensions
_MAX_SETS, _MAX_SET = 8, 256  # PPS of a stream, and bytes of one
_START = re.compile(rb"\x00\x00\x01")


class StreamError(Exception):
    """A stream cannot be put into a file as it is."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The one SPS of a stream, and its PPS."""

    sps: bytes
    pps: tuple[bytes, ...]

    def record(self) -> bytes:
        """Return the configuration record of a file (AVCDecoderConfigurationRecord), with lengths of four bytes."""
        head = b"\x01" + self.sps[1:4] + b"\xff\xe1" + _with_length(self.sps)
        sets = bytes([len(self.pps)]) + b"".join(map(_with_length, self.pps))
        return head + sets + (_HIGH_FORMAT if self.sps[1] == _HIGH else b"")


def read_record(record: bytes) -> tuple[Parameters, int]:
    """Return the parameters of a configuration record, and its bytes of a length; raise `StreamError`."""
    try:
        size, position, sets = (record[4] & 3) + 1, 5, list[list[bytes]]()
        for mask in (0x1F, 0xFF):
            number, position, found = record[position] & mask, position + 1, list[bytes]()
            for _ in range(number):
                length = int.from_bytes(record[position : position + 2], "big")
                found.append(record[position + 2 : position + 2 + length])
                position += 2 + length
            sets.append(found)
        if position > len(record) or record[0] != 1:
            raise StreamError("the parameters are cut off")
    except IndexError as error:
        raise StreamError("the parameters are cut off") from error
    return _parameters(sets[0] + sets[1]), size


def read_start_codes(data: bytes) -> Parameters:
    """Return the parameters of a stream with start codes; raise `StreamError`."""
    return _parameters(unit for unit in units_after_codes(data) if _kind(unit) in {_SPS, _PPS})


def units_after_codes(data: bytes) -> list[bytes]:
    """Return the units of a stream with start codes."""
    starts = [found.end() for found in _START.finditer(data)]
    ends = [*(start - 3 for start in starts[1:]), len(data)]
    # A code may have one more zero before it.
    units = (data[start:end].rstrip(b"\0") for start, end in zip(starts, ends, strict=True))
    return [unit for unit in units if unit]


def units_of_length(data: bytes | memoryview, size: int) -> list[bytes]:
    """Return the units of a sample, each after its length in so many bytes; raise `StreamError`."""
    units, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + size], "big")
        unit = bytes(data[position + size : position + size + length])
        if not unit or len(unit) < length:
            raise StreamError("a sample is cut off")
        units.append(unit)
        position += size + length
    return units


def sample_of(units: Iterable[bytes], parameters: Parameters) -> bytes:
    """Return a sample with the pictures among units; raise `StreamError` if there are none, or other parameters."""
    pictures = []
    known = {parameters.sps, *parameters.pps}
    for unit in units:
        if _kind(unit) in {_SPS, _PPS} and unit not in known:
            raise StreamError("the parameters of the stream change")
        if _kind(unit) in PICTURES:
            pictures.append(unit)
    if not pictures:
        raise StreamError("a sample has no picture")
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in pictures)


def has_only_pictures(sample: memoryview) -> bool:
    """Return whether a sample with lengths of four bytes consists of coded pictures."""
    position, end = 0, len(sample)
    while position + 4 < end:
        length = int.from_bytes(sample[position : position + 4], "big")
        if not length or sample[position + 4] & 0x9F not in PICTURES:
            return False
        position += 4 + length
    return position == end and end > 0


def _parameters(units: Iterable[bytes]) -> Parameters:
    found = list(dict.fromkeys(units))
    sps = [unit for unit in found if _kind(unit) == _SPS]
    pps = [unit for unit in found if _kind(unit) == _PPS]
    if len(sps) != 1 or not 1 <= len(pps) <= _MAX_SETS or len(sps) + len(pps) < len(found):
        raise StreamError("a stream with other than one set of parameters")
    if any(len(unit) > _MAX_SET for unit in found) or len(sps[0]) < 4 or sps[0][1] not in _PROFILES:
        raise StreamError("a stream of another profile")
    return Parameters(sps[0], tuple(pps))


def _kind(unit: bytes) -> int:
    return unit[0] & 0x1F


def _with_length(unit: bytes) -> bytes:
    return len(unit).to_bytes(2, "big") + unit
