"""ICC profiles made from primaries and a tone curve, of the variants' colour spaces and of the colour chunks of PNGs.

A profile from an upload never reaches a variant: its texts and private tags may name the user, their display or their
software. Profiles made here hold no other text than the name of the colour space. Sources: ICC.1:2022 for the format,
ITU-T H.273 for code points, ITU-R BT.2100 for PQ and HLG.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Matrix = Sequence[Sequence[float]]
Chromaticities = Sequence[float]  # x and y of white, red, green and blue
_D65 = (0.3127, 0.3290)
BT709 = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_C = (0.310, 0.316)
_PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: P3,
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50 = (0.9642, 1.0, 0.8249)  # the white of the profile connection space
_STEPS = 4096  # of a curve that is stored as a table
_REFERENCE_WHITE = 203.0  # cd/m² (ITU-R BT.2408)
_HDR_WHITE = 1000.0  # cd/m²; brighter light of an image is shown as white


@dataclass(frozen=True, slots=True)
class Curve:
    """A tone curve, as the body of an ICC tag."""

    tag: bytes


def _fixed(value: float) -> int:
    return round(value * 65536)


def gamma_curve(exponent: float) -> Curve:
    """Return the curve Y = X^exponent."""
    return Curve(b"para" + bytes(4) + struct.pack(">HHi", 0, 0, _fixed(exponent)))


def _piecewise(exponent: float, a: float, b: float, c: float, d: float) -> Curve:
    """Return the curve Y = (aX + b)^exponent from d on, and cX below it."""
    return Curve(b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *map(_fixed, (exponent, a, b, c, d))))


def _table(light: Callable[[float], float]) -> Curve:
    """Return the curve with the values of a function from 0 to 1, which are clipped to that range."""
    values = (min(1.0, max(0.0, light(step / (_STEPS - 1)))) for step in range(_STEPS))
    entries = struct.pack(f">{_STEPS}H", *(round(65535 * value) for value in values))
    return Curve(b"curv" + bytes(4) + struct.pack(">I", _STEPS) + entries)


SRGB_CURVE = _piecewise(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_ADOBE_GAMMA = 563 / 256


def _pq(signal: float) -> float:
    """Return the light of a PQ signal, where 1 is the reference white."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10_000 / _REFERENCE_WHITE * float((max(0.0, power - c1) / (c2 - c3 * power)) ** (1 / m1))


def _hlg(signal: float) -> float:
    """Return the light of an HLG signal on a display of `_HDR_WHITE`, where 1 is the reference white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = signal**2 / 3 if signal <= 0.5 else (math.exp((signal - c) / a) + b) / 12
    return _HDR_WHITE / _REFERENCE_WHITE * float(scene**1.2)


def _tone_map(light: float) -> float:
    """Return light for a display whose white is 1, from light of which `_HDR_WHITE` is the most.

    The reference white becomes half of the display's white, and a quadratic Bézier curve leads from there to the white:
    the reference white tone mapping of SMPTE ST 2094-50, which Chromium applies.
    """
    knee, middle, most = 0.5, (1.65, 0.825), _HDR_WHITE / _REFERENCE_WHITE
    if light <= 1:
        return knee * light
    if light >= most:
        return 1.0
    curvature, slope = 1 - 2 * middle[0] + most, 2 * (middle[0] - 1)
    at = (math.sqrt(slope**2 + 4 * curvature * (light - 1)) - slope) / (2 * curvature)
    return knee * (1 - at) ** 2 + 2 * middle[1] * at * (1 - at) + at**2


# By the code points of H.273, table 3.
_CURVES: dict[int, Callable[[], Curve]] = {
    # These define a camera. Displays of their signal, and Chromium, have the curve of ITU-R BT.1886.
    **dict.fromkeys((1, 6, 11, 14, 15), lambda: gamma_curve(2.4)),
    4: lambda: gamma_curve(2.2),
    5: lambda: gamma_curve(2.8),
    8: lambda: gamma_curve(1.0),
    13: lambda: SRGB_CURVE,
    16: lambda: _table(lambda signal: _tone_map(_pq(signal))),
    17: lambda: _table(lambda signal: 52.37 / 48 * signal**2.6),
    18: lambda: _table(lambda signal: _tone_map(_hlg(signal))),
}


def from_code_points(primaries: int, transfer: int) -> bytes | None:
    """Return a profile for code points of H.273, tables 2 and 3, or None if they are not supported."""
    chromaticities, curve = _PRIMARIES.get(primaries), _CURVES.get(transfer)
    return None if chromaticities is None or curve is None else from_primaries(chromaticities, curve())


@functools.cache
def display_p3() -> bytes:
    """Return a profile of Display P3: the primaries of DCI-P3, the white and the curve of sRGB."""
    return _require(from_primaries(P3, SRGB_CURVE, name="Display P3"))


@functools.cache
def adobe_rgb() -> bytes:
    """Return a profile of the colour space that is compatible with Adobe RGB (1998)."""
    return _require(from_primaries(ADOBE, gamma_curve(_ADOBE_GAMMA), name="Compatible with Adobe RGB"))


@functools.cache
def srgb() -> bytes:
    """Return a profile of sRGB."""
    return _require(from_primaries(BT709, SRGB_CURVE, name="sRGB"))


def from_primaries(chromaticities: Chromaticities, curve: Curve, *, name: str = "RGB") -> bytes | None:
    """Return an RGB profile (ICC version 4.2), or None for primaries that span no colours."""
    try:
        colorants, adaptation = _colorants(chromaticities)
    except ZeroDivisionError:
        return None
    if any(abs(value) >= 1 << 15 for row in (*colorants, *adaptation) for value in row):
        return None
    columns = list(zip(*colorants, strict=True))
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32" + bytes(4) + struct.pack(">9i", *(_fixed(value) for row in adaptation for value in row)),
        **{letter + b"XYZ": _xyz(column) for letter, column in zip((b"r", b"g", b"b"), columns, strict=True)},
        **{letter + b"TRC": curve.tag for letter in (b"r", b"g", b"b")},
    }
    return _assemble(tags)


def _assemble(tags: dict[bytes, bytes]) -> bytes:
    table, body, offsets = [], bytearray(), {}
    start = 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        if data not in offsets:  # the three curves are one
            offsets[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table.append(struct.pack(">4sII", kind, offsets[data], len(data)))
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI3i4s16s28s",
        start + len(body),
        b"",
        0x04200000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        *(2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"",
        *(0, 0, 0, 0, 0),
        *map(_fixed, _D50),
        b"",
        b"",
        b"",
    )
    return header + struct.pack(">I", len(tags)) + b"".join(table) + bytes(body)


def _colorants(chromaticities: Chromaticities) -> tuple[Matrix, Matrix]:
    """Return the matrix from linear RGB to XYZ under D50, and the adaptation of the white to D50 (Bradford)."""
    points = [(x, y, 1 - x - y) for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)]
    white = [value / points[0][1] for value in points[0]]
    matrix = tuple(zip(*points[1:], strict=True))
    scale = _apply(_inverse(matrix), white)
    to_xyz = [[value * factor for value, factor in zip(row, scale, strict=True)] for row in matrix]
    gains = [target / source for target, source in zip(_apply(_BRADFORD, _D50), _apply(_BRADFORD, white), strict=True)]
    scaled = [[gain * value for value in row] for gain, row in zip(gains, _BRADFORD, strict=True)]
    adaptation = _product(_inverse(_BRADFORD), scaled)
    return _product(adaptation, to_xyz), adaptation


def _apply(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [_apply(columns, row) for row in left]


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return [[value / determinant for value in row] for row in cofactors]


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *map(_fixed, values))


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _require(profile: bytes | None) -> bytes:
    if profile is None:
        raise ValueError("the primaries span no colours")
    return profile
