"""Gain maps: the second image in an Ultra HDR JPEG, by which a screen brightens the first one.

The numbers that say how it is applied are in the gain map's own XMP (Adobe's Gain Map specification 1.0, namespace
`hdrgm`), in a segment of ISO 21496-1, or in both; the latter counts. Logarithms are to the base 2. A gain map that is
damaged, or is applied in another direction, is as if it were not there: the first image shows the photo without it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workers.images import jpeg
from workers.images.jpeg import Jpeg
from workers.images.structure import StructureError
from workers.images.xmp import subjects_of, values_of

NAMESPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
DENOMINATOR = 1_000_000  # of all our fractions
# By field, its name in XMP and its default there; None where it is required.
FIELDS = {
    "minimum": ("GainMapMin", 0.0),
    "maximum": ("GainMapMax", None),
    "gamma": ("Gamma", 1.0),
    "offset_sdr": ("OffsetSDR", 1 / 64),
    "offset_hdr": ("OffsetHDR", 1 / 64),
}
CAPACITIES = {"capacity_min": ("HDRCapacityMin", 0.0), "capacity_max": ("HDRCapacityMax", None)}
_SEVERAL_CHANNELS, _BASE_COLOURS, _BACKWARD, _COMMON_DENOMINATOR = 0x80, 0x40, 0x04, 0x08
_MAX_IMAGES = 4  # behind the first one that are looked at
_MAX_LOGARITHM, _MAX_OFFSET, _MAX_GAMMA = 16.0, 1.0, 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GainMapNumbers:
    """How a gain map is applied; each field of `FIELDS` has one value, or three for red, green and blue.

    Numbers are in units of 1 / `DENOMINATOR`. `base_colours` is set if the gain map is in the first image's colours.
    """

    minimum: tuple[int, ...]
    maximum: tuple[int, ...]
    gamma: tuple[int, ...]
    offset_sdr: tuple[int, ...]
    offset_hdr: tuple[int, ...]
    capacity_min: int
    capacity_max: int
    base_colours: bool = True

    @property
    def channels(self) -> Sequence[tuple[int, ...]]:
        """Return the values of each channel, in the order of `FIELDS`."""
        return list(zip(*(getattr(self, name) for name in FIELDS), strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class GainMap:
    """The image of a gain map, and how it is applied."""

    image: Jpeg
    numbers: GainMapNumbers


def find(data: bytes, first: Jpeg) -> GainMap | None:
    """Return the gain map of a JPEG whose first image was read already, or None."""
    for image in _further_images(data, first.end):
        numbers = read_iso(image.gain) or _read_xmp(image.xmp)
        if numbers is not None and _is_fitting(image, first):
            return GainMap(image=image, numbers=numbers)
    return None


def read_iso(body: bytes) -> GainMapNumbers | None:
    """Return the numbers in a segment of ISO 21496-1 (without its name), or None if there are none that are sane."""
    reader = _Fractions(body)
    try:
        version, _, flags = reader.take("HHB")
        if version or flags & _BACKWARD:
            return None
        common = reader.take("I")[0] if flags & _COMMON_DENOMINATOR else None
        capacities = [reader.fraction("I", common) for _ in range(2)]
        channels = [
            [reader.fraction(kind, common) for kind in "iiIii"] for _ in range(3 if flags & _SEVERAL_CHANNELS else 1)
        ]
    except (struct.error, ZeroDivisionError):
        return None
    fields = dict(zip(FIELDS, zip(*channels, strict=True), strict=True))
    return _sane(fields, capacities, base_colours=bool(flags & _BASE_COLOURS))


def write_iso(numbers: GainMapNumbers) -> bytes:
    """Return the body of a segment of ISO 21496-1, without its name."""
    flags = (_SEVERAL_CHANNELS if len(numbers.channels) == 3 else 0) | (_BASE_COLOURS if numbers.base_colours else 0)
    parts = [struct.pack(">HHB", 0, 0, flags)]
    parts += (struct.pack(">II", value, DENOMINATOR) for value in (numbers.capacity_min, numbers.capacity_max))
    parts += (struct.pack(">iI", value, DENOMINATOR) for channel in numbers.channels for value in channel)
    return b"".join(parts)


class _Fractions:
    """Numbers of a body, in order."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, kinds: str) -> tuple[int, ...]:
        taken = struct.unpack_from(f">{kinds}", self._body, self._at)
        self._at += struct.calcsize(f">{kinds}")
        return taken

    def fraction(self, kind: str, common: int | None) -> float:
        (numerator,) = self.take(kind)
        return float(numerator / (self.take("I")[0] if common is None else common))


def _read_xmp(packet: bytes) -> GainMapNumbers | None:
    subjects = subjects_of(packet)

    def read(name: str, default: float | None) -> list[float]:
        texts = values_of(subjects, f"{{{NAMESPACE}}}{name}")
        return [float(text) for text in texts] if texts or default is None else [default]

    try:
        fields = {field: read(*source) for field, source in FIELDS.items()}
        capacities = [value for source in CAPACITIES.values() for value in read(*source)]
    except ValueError:
        return None
    if values_of(subjects, f"{{{NAMESPACE}}}BaseRenditionIsHDR") in (["True"], ["true"]):
        return None
    return _sane(fields, capacities, base_colours=True)


def _sane(
    fields: Mapping[str, Sequence[float]], capacities: Sequence[float], *, base_colours: bool
) -> GainMapNumbers | None:
    """Return numbers that a screen can apply, or None."""
    amount = max(map(len, fields.values()))
    if amount not in {1, 3} or not all(len(values) in {1, amount} for values in fields.values()):
        return None
    bounds = {"gamma": _MAX_GAMMA, "offset_sdr": _MAX_OFFSET, "offset_hdr": _MAX_OFFSET}
    limited = [(value, bounds.get(name, _MAX_LOGARITHM)) for name, values in fields.items() for value in values]
    limited += ((value, _MAX_LOGARITHM) for value in capacities)
    if len(capacities) != 2 or not all(-limit <= value <= limit for value, limit in limited):
        return None  # also for what is not a number
    whole = {
        name: tuple(round(value * DENOMINATOR) for value in (values if len(values) == amount else [*values] * amount))
        for name, values in fields.items()
    }
    least, most = (round(value * DENOMINATOR) for value in capacities)
    if not 0 <= least < most or min(whole["gamma"]) <= 0:
        return None
    if any(low > high for low, high in zip(whole["minimum"], whole["maximum"], strict=True)):
        return None
    return GainMapNumbers(**whole, capacity_min=least, capacity_max=most, base_colours=base_colours)


def _further_images(data: bytes, position: int) -> Iterator[Jpeg]:
    """Yield the JPEGs that follow an image, with other bytes between them; what is damaged ends the search."""
    for _ in range(_MAX_IMAGES if position else 0):
        start = data.find(b"\xff\xd8\xff", position)
        if start < 0:
            return
        try:
            image = jpeg.read(data[start:])
        except StructureError:
            return
        if not image.ended:
            return
        yield image
        position = start + image.end


def _is_fitting(image: Jpeg, first: Jpeg) -> bool:
    """Return whether an image has about the aspect of another one, and no more pixels."""
    header, other = image.header, first.header
    across, down = header.width * other.height, header.height * other.width
    return header.pixels <= other.pixels and abs(across - down) * 10 <= max(across, down)
