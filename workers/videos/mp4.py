"""MP4 files as PicShare publishes them (ISO/IEC 14496-12, -14, -15): a fixed set of boxes, and no metadata at all.

What comes before the media data follows from the numbers of a `Movie` alone. So a file can be checked by reading its
numbers and laying them out again (`workers.videos.published`). The header comes first, so that players can begin before
they have the whole file. FFmpeg's own writer would need to read its output again for that, by its name.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import add

SCALE = 1000  # units of a second in which a movie and its edits are measured
_FTYP = b"isom\0\0\x02\0isomiso2avc1mp41"
_UNITY = (0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000)
# The matrices for quarter turns clockwise; the picture is moved back to where it begins.
_TURNS = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))
_CHUNK = 1  # seconds of a track between those of the other
MAX_MEDIA = 0xFFFF_FFFF - 64 * 1024 * 1024  # bytes; positions have 32 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One track: its samples in decoding order, by their durations, sizes, and delays from decoding to presentation.

    Durations and delays are in units of 1 / `scale` seconds, `keys` the numbers from 0 of the samples with which
    decoding can begin (None: all). The track is presented after `start` of the movie's units, and from `skip` of its
    own units on. `config` is the configuration of the decoder. A picture has `width`, `height` and `turns`, sound has
    `rate` and `channels`.
    """

    scale: int
    durations: Sequence[int]
    sizes: Sequence[int]
    delays: Sequence[int]
    keys: Sequence[int] | None
    start: int
    skip: int
    config: bytes
    width: int = 0
    height: int = 0
    turns: int = 0
    rate: int = 0
    channels: int = 0

    @property
    def is_picture(self) -> bool:
        """Return whether this is the picture."""
        return self.width > 0

    @property
    def length(self) -> int:
        """Return for how long the track is presented after `start`, in the movie's units."""
        times = accumulate(self.durations)
        end: int = max(map(add, times, self.delays)) - self.skip
        return max(1, end * SCALE // self.scale)


def head(tracks: Sequence[Track]) -> bytes:
    """Return what comes before the media data of a movie."""
    size = sum(sum(track.sizes) for track in tracks)
    # Positions have a fixed length, so the length of the header is known before they are.
    begin = len(_box(b"ftyp", _FTYP)) + len(_moov(tracks, 0)) + 8
    return _box(b"ftyp", _FTYP) + _moov(tracks, begin) + struct.pack(">I4s", size + 8, b"mdat")


def order(tracks: Sequence[Track]) -> list[tuple[int, range]]:
    """Return the chunks in the order of their bytes, each as the number of a track and a range of its samples."""
    chunks: list[tuple[int, int, range]] = []
    for number, track in enumerate(tracks):
        times = accumulate(track.durations, initial=0)
        seconds = [time // track.scale // _CHUNK for time, _ in zip(times, track.durations, strict=False)]
        position = 0
        for second, group in groupby(seconds):
            count = len(list(group))
            chunks.append((second, number, range(position, position + count)))
            position += count
    return [(number, samples) for _, number, samples in sorted(chunks, key=lambda chunk: chunk[:2])]


def write(tracks: Sequence[Track], samples: Sequence[Sequence[bytes]]) -> bytes:
    """Return the file with the samples of each track."""
    pieces = (samples[number][each] for number, chunk in order(tracks) for each in chunk)
    return b"".join((head(tracks), *pieces))


def _moov(tracks: Sequence[Track], begin: int) -> bytes:
    positions: list[list[int]] = [[] for _ in tracks]
    counts: list[list[int]] = [[] for _ in tracks]
    for number, samples in order(tracks):
        positions[number].append(begin)
        counts[number].append(len(samples))
        begin += sum(tracks[number].sizes[samples.start : samples.stop])
    length = max(track.start + track.length for track in tracks)
    # Times, rate (16.16) and volume (8.8), reserved, the matrix, reserved, and the next free id of a track.
    movie = struct.pack(">6IH10x9I24xI", 0, 0, 0, SCALE, length, _UNITY[0], 256, *_UNITY, len(tracks) + 1)
    traks = (_trak(number + 1, track, positions[number], counts[number]) for number, track in enumerate(tracks))
    return _box(b"moov", _box(b"mvhd", movie), *traks)


def _trak(identifier: int, track: Track, positions: Sequence[int], counts: Sequence[int]) -> bytes:
    volume = 0 if track.is_picture else 256
    turned = [value * 0x1_0000 & 0xFFFF_FFFF for value in _TURNS[track.turns]]
    a, b, c, d = turned
    x = {1: track.height, 2: track.width}.get(track.turns, 0) << 16
    y = {2: track.height, 3: track.width}.get(track.turns, 0) << 16
    tkhd = struct.pack(
        ">6I8xHHHxx9III",
        *(3, 0, 0, identifier, 0, track.start + track.length),  # enabled, in the movie
        *(0, 0, volume),
        *(a, b, 0, c, d, 0, x, y, _UNITY[8]),
        *(track.width << 16, track.height << 16),
    )
    edits = [(track.start, 0xFFFF_FFFF)] * (track.start > 0) + [(track.length, track.skip)]
    elst = _full(b"elst", struct.pack(">I", len(edits)), *(struct.pack(">IIHH", *edit, 1, 0) for edit in edits))
    mdhd = _full(b"mdhd", struct.pack(">4IHH", 0, 0, track.scale, sum(track.durations), 0x55C4, 0))
    handler = b"vide" if track.is_picture else b"soun"
    hdlr = _full(b"hdlr", bytes(4), handler, bytes(12), b"\0")
    media = _box(b"vmhd", b"\0\0\0\x01", bytes(8)) if track.is_picture else _full(b"smhd", bytes(4))
    dref = _full(b"dref", struct.pack(">I", 1), _box(b"url ", b"\0\0\0\x01"))
    minf = _box(b"minf", media, _box(b"dinf", dref), _stbl(track, positions, counts))
    return _box(b"trak", _box(b"tkhd", tkhd), _box(b"edts", elst), _box(b"mdia", mdhd, hdlr, minf))


def _stbl(track: Track, positions: Sequence[int], counts: Sequence[int]) -> bytes:
    boxes = [
        _full(b"stsd", struct.pack(">I", 1), _avc1(track) if track.is_picture else _mp4a(track)),
        _full(b"stts", *_table(_runs(track.durations))),
    ]
    if any(track.delays):
        boxes.append(_full(b"ctts", *_table(_runs(track.delays))))
    if track.keys is not None:
        boxes.append(_full(b"stss", *_table((key + 1,) for key in track.keys)))
    first = accumulate((length for length, _ in _runs(counts)), initial=1)
    chunks = [(number, count, 1) for number, (_, count) in zip(first, _runs(counts), strict=False)]
    return _box(
        b"stbl",
        *boxes,
        _full(b"stsc", *_table(chunks)),
        _full(b"stsz", bytes(4), *_table((size,) for size in track.sizes)),
        _full(b"stco", *_table((position,) for position in positions)),
    )


def _avc1(track: Track) -> bytes:
    sizes = struct.pack(">HHIIIH", track.width, track.height, 0x48_0000, 0x48_0000, 0, 1)
    entry = bytes(6) + b"\0\x01" + bytes(16) + sizes + bytes(32) + b"\0\x18\xff\xff"
    return _box(b"avc1", entry, _box(b"avcC", track.config))


def _mp4a(track: Track) -> bytes:
    entry = bytes(6) + b"\0\x01" + bytes(8) + struct.pack(">HHII", track.channels, 16, 0, track.rate << 16)
    decoder = _descriptor(4, b"\x40\x15" + bytes(11) + _descriptor(5, track.config))
    esds = _descriptor(3, bytes(3) + decoder + _descriptor(6, b"\x02"))
    return _box(b"mp4a", entry, _full(b"esds", esds))


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes([tag, len(body)]) + body


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    return [(len(list(group)), value) for value, group in groupby(values)]


def _table(rows: Iterable[tuple[int, ...]]) -> list[bytes]:
    packed = [struct.pack(f">{len(row)}I", *row) for row in rows]
    return [struct.pack(">I", len(packed)), *packed]


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, bytes(4), *parts)


def _box(kind: bytes, *parts: bytes) -> bytes:
    size = 8 + sum(map(len, parts))
    return b"".join((struct.pack(">I4s", size, kind), *parts))
