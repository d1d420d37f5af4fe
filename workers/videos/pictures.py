"""From the picture of a video to a track: H.264 as it is, or encoded again."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import av
from av.video.reformatter import ColorRange

from workers.videos import h264
from workers.videos.limits import COPIED_SIDES, TARGET_RATE, TARGET_SIDES
from workers.videos.mp4 import Track
from workers.videos.samples import NotCopyableError, Samples

_BASE = Fraction(1, 90_000)  # seconds; what rates of 24, 25, 30 and 30/1.001 frames fit into
_COPIED_FORMATS = {"yuv420p", "yuvj420p"}
# Measured on a recording of 1080p (docs/design.md): three quarters of a second of processor time for each second.
_OPTIONS = {"preset": "veryfast", "crf": "23", "maxrate": "4M", "bufsize": "8M"}
_KEY_FRAME_EVERY = 60  # frames
_HDR = {16: "smpte2084", 18: "arib-std-b67"}  # transfer functions of H.273: PQ, HLG
_TO_SDR = "out_primaries=bt709:out_transfer=bt709:out_color_matrix=bt709:out_range=tv"
_INTERVAL = Fraction(1, TARGET_RATE)
_JITTER = Fraction(1, 500)  # seconds by which times of frames differ from their rate


class CopiedPicture:
    """H.264 with eight bits, up to 1080p: its coded pictures are kept as they are."""

    def __init__(self, stream: av.VideoStream, turns: int) -> None:
        context = stream.codec_context
        sides = sorted((context.width, context.height))
        if context.name != "h264" or context.pix_fmt not in _COPIED_FORMATS or not _is_square(stream):
            raise NotCopyableError
        if any(side > most for side, most in zip(sides, COPIED_SIDES, strict=True)):
            raise NotCopyableError
        try:
            self._parameters, self._length = h264.read_record(context.extradata or b"")
        except h264.StreamError as error:
            raise NotCopyableError from error
        self.samples = Samples(stream.time_base or Fraction(0))
        self._make = partial(Track, width=context.width, height=context.height, turns=turns)

    def add(self, packet: av.Packet[Any]) -> None:
        """Add a packet, which is the flushing one at the end."""
        if packet.size == 0:
            return
        try:
            units = h264.units_of_length(bytes(packet), self._length)
            self.samples.add(packet, h264.sample_of(units, self._parameters))
        except h264.StreamError as error:
            raise NotCopyableError from error

    def track(self, zero: Fraction) -> Track:
        """Return the track in a movie that begins at `zero`."""
        return self.samples.track(zero, partial(self._make, config=self._parameters.record()))


class EncodedPicture:
    """Any other picture, decoded and encoded again as H.264 with at most 720p and 30 frames a second."""

    def __init__(self, stream: av.VideoStream, turns: int) -> None:
        self._stream = stream
        self._turns = turns
        self._encoder: av.VideoCodecContext | None = None
        self._size = (0, 0)
        self._due = Fraction(-3600)  # the time of the next frame that is kept
        self._tone_mapping: tuple[Any, av.filter.Graph] | None = None
        self._parameters: h264.Parameters | None = None
        self.samples = Samples(_BASE)

    def add(self, packet: av.Packet[Any]) -> None:
        """Add a packet, which is the flushing one at the end."""
        for frame in packet.decode():
            self._encode(frame)
        if packet.size == 0 and self._encoder is not None:
            self._collect(self._encoder, None)

    def track(self, zero: Fraction) -> Track:
        """Return the track in a movie that begins at `zero`."""
        make = partial(Track, width=self._size[0], height=self._size[1], turns=self._turns)
        return self.samples.track(
            zero, partial(make, config=b"" if self._parameters is None else self._parameters.record())
        )

    def _encode(self, frame: av.VideoFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        time = frame.pts * frame.time_base
        if time + _JITTER < self._due:
            return
        self._due = (self._due if time - self._due < _INTERVAL else time) + _INTERVAL
        if self._encoder is None:
            self._size = fitting(_displayed(self._stream, frame))
            self._encoder = _encoder(self._size, frame)
        small = self._small(frame, *self._size)
        small.pts, small.time_base = round(time / _BASE), _BASE
        self._collect(self._encoder, small)

    def _small(self, frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
        if frame.color_trc not in _HDR:
            return frame.reformat(width, height, "yuv420p", dst_color_range=ColorRange.MPEG, threads=1)
        # Made smaller first, because the conversion is the slower step.
        reduced = frame.reformat(width, height, "yuv420p10le", threads=1)
        key = (frame.color_trc, frame.color_primaries)
        if self._tone_mapping is None or self._tone_mapping[0] != key:
            self._tone_mapping = key, _graph(reduced)
        graph = self._tone_mapping[1]
        graph.push(reduced)
        return graph.pull()  # type: ignore[return-value]

    def _collect(self, encoder: av.VideoCodecContext, frame: av.VideoFrame | None) -> None:
        for packet in encoder.encode(frame):
            if self._parameters is None:
                self._parameters = h264.read_start_codes(encoder.extradata or b"")
            units = h264.units_after_codes(bytes(packet))
            self.samples.add(packet, h264.sample_of(units, self._parameters))


def fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of a picture of this size within 720p, or its equivalent upright, both even."""
    short, long = sorted(size)
    factor = min(1.0, TARGET_SIDES[0] / short, TARGET_SIDES[1] / long)
    width, height = (max(2, round(side * factor / 2) * 2) for side in size)
    return width, height


def _is_square(stream: av.VideoStream) -> bool:
    return stream.sample_aspect_ratio in (None, 0, 1)


def _displayed(stream: av.VideoStream, frame: av.VideoFrame) -> tuple[int, int]:
    ratio = Fraction(1) if _is_square(stream) else Fraction(stream.sample_aspect_ratio or 1)
    if not Fraction(1, 4) <= ratio <= 4:
        ratio = Fraction(1)
    return max(2, round(frame.width * ratio)), max(2, frame.height)


def _encoder(size: tuple[int, int], frame: av.VideoFrame) -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", _BASE, Fraction(TARGET_RATE)
    encoder.options = _OPTIONS
    encoder.gop_size, encoder.thread_count = _KEY_FRAME_EVERY, 1
    encoder.flags |= av.codec.context.Flags.global_header
    encoder.color_range = ColorRange.MPEG
    if frame.color_trc in _HDR:
        encoder.color_primaries, encoder.color_trc, encoder.colorspace = 1, 1, 1
    else:
        encoder.color_primaries, encoder.color_trc = frame.color_primaries, frame.color_trc
        encoder.colorspace = frame.colorspace
    encoder.open()
    return encoder


def _graph(frame: av.VideoFrame) -> av.filter.Graph:
    """Return the filter that maps the range of PQ and HLG to the standard one."""
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=_BASE)]
    nodes += [graph.add("scale", _TO_SDR), graph.add("format", "yuv420p"), graph.add("buffersink")]
    for one, other in pairwise(nodes):
        one.link_to(other)
    graph.configure()
    return graph
