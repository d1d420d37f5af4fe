"""Check of a video before it is published: it holds coded pictures and sound, and what describes them, and no more.

The numbers in its header are read, and laid out again: the file must then begin with the same bytes. So nothing else is
in it, between its boxes or behind them. Every sample of the picture consists of coded pictures alone, and every one of
the sound begins with sound.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate

from workers.images import bmff
from workers.images.published import ForeignBytesError
from workers.images.structure import MetadataBudget, StructureError
from workers.videos import aac, h264, limits, mp4
from workers.videos.mp4 import Track

_UNITY = 0x1_0000
_TURNS = {(_UNITY, 0): 0, (0, _UNITY): 1, (0xFFFF_0000, 0): 2, (0, 0xFFFF_0000): 3}
_MAX_SAMPLES = limits.MAX_AUDIO_SAMPLES
_CONTAINERS = frozenset({b"edts", b"mdia", b"minf", b"stbl"})


def check(data: bytes) -> Sequence[Track]:
    """Return the tracks of a video, the picture first; raise `ForeignBytesError`."""
    try:
        tracks = _tracks(data)
        head = mp4.head(tracks) if tracks else b""
    except (StructureError, IndexError, ValueError, struct.error, h264.StreamError) as error:
        raise ForeignBytesError("an MP4 of another structure") from error
    kinds = [track.is_picture for track in tracks]
    _require(kinds in ([True], [True, False]), "the tracks of an MP4")
    _require(data[: len(head)] == head, "the header of an MP4")
    _require(len(data) == len(head) + sum(sum(track.sizes) for track in tracks), "the media data of an MP4")
    _require(all(aac.is_plain(track.config) for track in tracks[1:]), "the sound of an MP4")
    _check_samples(tracks, memoryview(data)[len(head) :])
    return tracks


def _check_samples(tracks: Sequence[Track], media: memoryview) -> None:
    record = tracks[0].config
    parameters, _ = h264.read_record(record)
    _require(record == parameters.record(), "the parameters of an MP4")
    position = 0
    for number, samples in mp4.order(tracks):
        for size in tracks[number].sizes[samples.start : samples.stop]:
            sample = media[position : position + size]
            if number == 0:
                _require(h264.has_only_pictures(sample), "a picture of an MP4")
            else:
                _require(aac.begins_with_sound(sample), "a frame of sound of an MP4")
            position += size


def _tracks(data: bytes) -> list[Track]:
    budget, tracks = MetadataBudget(), list[Track]()
    for box in bmff.boxes(data, 0, len(data), budget):
        if box.kind == b"moov":
            tracks += [
                _track(data, inner, budget)
                for inner in bmff.boxes(data, box.start, box.end, budget)
                if inner.kind == b"trak"
            ]
    return tracks


def _track(data: bytes, trak: bmff.Box, budget: MetadataBudget) -> Track:
    bodies: dict[bytes, bytes] = {}
    pending = [trak]
    while pending:
        parent = pending.pop()
        for box in bmff.boxes(data, parent.start, parent.end, budget):
            if box.kind in _CONTAINERS:
                pending.append(box)
            else:
                bodies[box.kind] = data[box.start : box.end]
    sizes = _rows(bodies.get(b"stsz", b"")[4:], 1)
    samples = len(sizes)
    durations = _expanded(_rows(bodies.get(b"stts", b""), 2), samples)
    delays = _expanded(_rows(bodies[b"ctts"], 2), samples) if b"ctts" in bodies else [0] * samples
    keys = [number - 1 for (number,) in _rows(bodies[b"stss"], 1)] if b"stss" in bodies else None
    edits = [struct.unpack_from(">II", bodies.get(b"elst", b""), 8 + 12 * number) for number in range(_edits(bodies))]
    scale: int = struct.unpack_from(">I", bodies.get(b"mdhd", b""), 12)[0]
    if not samples or not scale or not edits:
        raise StructureError("a track without samples")
    numbers = {
        "scale": scale,
        "durations": durations,
        "sizes": [size for (size,) in sizes],
        "delays": delays,
        "keys": keys,
        "start": edits[0][0] if len(edits) > 1 else 0,
        "skip": edits[-1][1],
    }
    entry = bodies.get(b"stsd", b"")[8:]
    if entry[4:8] == b"avc1":
        matrix = struct.unpack_from(">II", bodies.get(b"tkhd", b""), 40)
        width, height = struct.unpack_from(">HH", entry, 32)
        return Track(**numbers, config=entry[94:], width=width, height=height, turns=_TURNS.get(matrix, 0))
    channels = struct.unpack_from(">H", entry, 24)[0]
    rate = struct.unpack_from(">I", entry, 32)[0] >> 16
    return Track(**numbers, config=entry[70:-3], rate=rate, channels=channels)


def _edits(bodies: dict[bytes, bytes]) -> int:
    number: int = struct.unpack_from(">I", bodies.get(b"elst", b""), 4)[0]
    return min(number, 2)


def _rows(body: bytes, width: int) -> list[tuple[int, ...]]:
    """Return the rows of a table with so many numbers each; its number of rows is behind the version and flags."""
    count: int = struct.unpack_from(">I", body, 4)[0]
    if 8 + 4 * width * count > len(body) or count > _MAX_SAMPLES:
        raise StructureError("a table is cut off")
    return list(struct.iter_unpack(f">{width}I", body[8 : 8 + 4 * width * count]))


def _expanded(runs: Sequence[tuple[int, ...]], samples: int) -> list[int]:
    # Summed first: a run may claim any length.
    if (list(accumulate(count for count, _ in runs)) or [0])[-1] != samples:
        raise StructureError("a table of another length")
    return [value for count, value in runs for _ in range(count)]


def _require(condition: object, part: str) -> None:
    if not condition:
        raise ForeignBytesError(f"{part} is not what the writer of videos writes")
