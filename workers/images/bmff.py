"""The boxes of an ISO base media file (ISO/IEC 14496-12), and the items of an image file (ISO/IEC 23008-12).

Only what describes the primary image and its EXIF is read, within bounds; the coded pixels are for the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workers.images.structure import CUT_OFF_HEADER, Data, MetadataBudget, StructureError

_INVALID = "the structure of the file is invalid"


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its type, and the bounds of its body."""

    kind: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an item, with its body."""

    kind: bytes
    body: bytes


@dataclass(slots=True)
class Items:
    """The items of an image file: the primary one, types, properties in their order, and where their bytes are.

    `places` has offset and length of the extents of each item; `references` has pairs of an item and one it describes.
    """

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    properties: dict[int, list[Property]] = field(default_factory=dict)
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    references: list[tuple[bytes, int, int]] = field(default_factory=list)


def boxes(data: Data, start: int, end: int, budget: MetadataBudget) -> Iterator[Box]:
    """Yield the boxes between two positions; raise `StructureError` for one with an impossible size, or too many."""
    position = start
    while position + 8 <= end:
        budget.spend(0)
        size, kind = int.from_bytes(data[position : position + 4], "big"), bytes(data[position + 4 : position + 8])
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        elif size == 0:
            size = end - position
        if size < head:
            raise StructureError(_INVALID)
        yield Box(kind, position + head, min(position + size, end))
        position += size


def brands(data: Data) -> Sequence[bytes]:
    """Return the major brand of a file and those it is compatible with; none if it does not begin with them."""
    size = int.from_bytes(data[:4], "big")
    if bytes(data[4:8]) != b"ftyp" or not 16 <= size <= 1024:
        return ()
    body = bytes(data[8:size])
    return [body[:4], *(body[at : at + 4] for at in range(8, len(body) - 3, 4))]


def read_items(data: Data) -> Items:
    """Return the items of an image file; raise `StructureError`."""
    budget = MetadataBudget()
    for box in boxes(data, 0, len(data), budget):
        if box.kind == b"meta":
            return _meta(data, box, budget)
        if box.kind not in {b"mdat", b"moov"}:
            budget.spend(box.end - box.start)
    raise StructureError("the file contains no still image")


def sequence_length(data: Data) -> int:
    """Return the number of frames of the first track of an image sequence, or 1 without one."""
    start, end, budget = 0, len(data), MetadataBudget()
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
        found = next((box for box in boxes(data, start, end, budget) if box.kind == kind), None)
        if found is None:
            return 1
        start, end = found.start, found.end
    return max(1, int.from_bytes(data[start + 8 : start + 12], "big"))


def item_bytes(data: Data, items: Items, item: int, limit: int) -> bytes:
    """Return the bytes of an item; none if it has more than `limit`, or lies outside the file."""
    places = items.places.get(item, [])
    if sum(length for _, length in places) > limit or any(start + length > len(data) for start, length in places):
        return b""
    return b"".join(data[start : start + length] for start, length in places)


def _meta(data: Data, box: Box, budget: MetadataBudget) -> Items:
    items = Items()
    found = {inner.kind: inner for inner in boxes(data, box.start + 4, box.end, budget)}
    readers = {b"pitm": _primary, b"iinf": _kinds, b"iprp": _properties, b"iloc": _places, b"iref": _references}
    origin = found[b"idat"].start if b"idat" in found else 0
    for kind, read in readers.items():
        if kind in found:
            budget.spend(found[kind].end - found[kind].start)
            reader = _Reader(bytes(data[found[kind].start : found[kind].end]), budget)
            try:
                read(reader, items, origin)
            except _EndError as error:
                raise StructureError(CUT_OFF_HEADER if box.end == len(data) else _INVALID) from error
    return items


class _EndError(Exception):
    """A box ends within a value."""


class _Reader:
    """Big-endian integers of a body, in order; the entries of all its tables count against one budget."""

    def __init__(self, body: bytes, budget: MetadataBudget) -> None:
        self.body = body
        self.budget = budget
        self.at = 0

    def number(self, size: int) -> int:
        if self.at + size > len(self.body):
            raise _EndError
        self.at += size
        return int.from_bytes(self.body[self.at - size : self.at], "big")

    def version(self) -> int:
        """Return the version of a full box, and skip its flags."""
        return self.number(4) >> 24

    def entries(self, size: int) -> Iterator[None]:
        """Yield as often as the number that follows says."""
        for _ in range(self.number(size)):
            self.budget.spend(0)
            yield

    def boxes(self) -> Iterator[tuple[bytes, _Reader]]:
        """Yield the types of the boxes that follow, and readers of their bodies."""
        for box in boxes(self.body, self.at, len(self.body), self.budget):
            yield box.kind, _Reader(self.body[box.start : box.end], self.budget)


def _primary(reader: _Reader, items: Items, _origin: int) -> None:
    items.primary = reader.number(4 if reader.version() else 2)


def _kinds(reader: _Reader, items: Items, _origin: int) -> None:
    reader.number(4 if reader.version() else 2)  # the number of entries, which are boxes
    for _, entry in reader.boxes():
        version = entry.version()
        if version >= 2:
            item = entry.number(4 if version == 3 else 2)
            entry.number(2)  # protection
            items.kinds[item] = entry.number(4).to_bytes(4, "big")


def _properties(reader: _Reader, items: Items, _origin: int) -> None:
    known: list[Property] = []
    for kind, inner in reader.boxes():
        if kind == b"ipco":
            known += [Property(each, body.body) for each, body in inner.boxes()]
        elif kind == b"ipma":
            _associations(inner, items, known)


def _associations(reader: _Reader, items: Items, known: Sequence[Property]) -> None:
    head = reader.number(4)
    for _ in reader.entries(4):
        item = reader.number(4 if head >> 24 else 2)
        for _ in reader.entries(1):
            # The highest bit says whether the property is essential.
            index = reader.number(2) & 0x7FFF if head & 1 else reader.number(1) & 0x7F
            if 0 < index <= len(known):
                items.properties.setdefault(item, []).append(known[index - 1])


def _places(reader: _Reader, items: Items, origin: int) -> None:
    version = reader.version()
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 0x0F for shift in (12, 8, 4, 0))
    for _ in reader.entries(4 if version == 2 else 2):
        item = reader.number(4 if version == 2 else 2)
        method = reader.number(2) & 0x0F if version else 0
        reader.number(2)  # another file, which is not read
        base = reader.number(base_size)
        extents = []
        for _ in reader.entries(2):
            if version and index_size:
                reader.number(index_size)
            extents.append((base + reader.number(offset_size), reader.number(length_size)))
        if method <= 1:
            start = origin if method == 1 else 0
            items.places[item] = [(start + offset, length) for offset, length in extents]


def _references(reader: _Reader, items: Items, _origin: int) -> None:
    size = 4 if reader.version() else 2
    for kind, entry in reader.boxes():
        source = entry.number(size)
        for _ in entry.entries(2):
            items.references.append((kind, source, entry.number(size)))


def properties_of(items: Items) -> Mapping[bytes, list[bytes]]:
    """Return the bodies of the primary item's properties by their type."""
    found: dict[bytes, list[bytes]] = {}
    for each in items.properties.get(items.primary, []):
        found.setdefault(each.kind, []).append(each.body)
    return found
