"""From the sound of a video to a track: AAC as it is, or encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import av

from workers.videos import aac
from workers.videos.mp4 import Track
from workers.videos.samples import NotCopyableError, Samples

_MAX_CHANNELS = 2
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_BIT_RATE = 128_000
_FRAME = 1024  # samples of an AAC packet


class CopiedSound:
    """AAC-LC with one or two channels, as it is."""

    def __init__(self, stream: av.AudioStream) -> None:
        context = stream.codec_context
        config = context.extradata or b""
        if context.name != "aac" or not aac.is_plain(config):
            raise NotCopyableError
        if context.layout.nb_channels > _MAX_CHANNELS or context.sample_rate not in _RATES:
            raise NotCopyableError
        self.samples = Samples(stream.time_base or Fraction(0))
        self._make = partial(Track, rate=context.sample_rate, channels=context.layout.nb_channels, config=config)

    def add(self, packet: av.Packet[Any]) -> None:
        """Add a packet, which is the flushing one at the end."""
        if packet.size:
            self.samples.add(packet, _sound(packet))

    def track(self, zero: Fraction) -> Track:
        """Return the track in a movie that begins at `zero`."""
        return self.samples.track(zero, self._make)


class EncodedSound:
    """Any other sound, decoded and encoded again as AAC-LC."""

    def __init__(self, stream: av.AudioStream) -> None:
        context = stream.codec_context
        self._layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        self._rate = context.sample_rate if context.sample_rate in _RATES else _RATES[-1]
        self._encoder = self._open()
        self._resampler = av.AudioResampler("fltp", self._layout, self._rate, frame_size=_FRAME)
        self._next: int | None = None
        self.samples = Samples(Fraction(1, self._rate))

    def add(self, packet: av.Packet[Any]) -> None:
        """Add a packet, which is the flushing one at the end."""
        for frame in packet.decode():
            if self._next is None and frame.time is not None:
                self._next = round(frame.time * self._rate)
            self._encode(self._resampler.resample(frame))  # type: ignore[arg-type]
        if packet.size == 0:
            self._encode(self._resampler.resample(None))
            self._collect(self._encoder.encode(None))

    def track(self, zero: Fraction) -> Track:
        """Return the track in a movie that begins at `zero`."""
        channels = 1 if self._layout == "mono" else 2
        config = self._encoder.extradata or b""
        return self.samples.track(zero, partial(Track, rate=self._rate, channels=channels, config=config))

    def _encode(self, frames: Sequence[av.AudioFrame]) -> None:
        for frame in frames:
            # Counted, because the times of damaged files do not fit together.
            frame.pts, frame.time_base = self._next or 0, Fraction(1, self._rate)
            self._next = frame.pts + frame.samples
            self._collect(self._encoder.encode(frame))

    def _collect(self, packets: Sequence[av.Packet[Any]]) -> None:
        for packet in packets:
            self.samples.add(packet, _sound(packet))

    def _open(self) -> av.AudioCodecContext:
        encoder = av.CodecContext.create("aac", "w")
        encoder.sample_rate, encoder.layout, encoder.format = self._rate, self._layout, "fltp"
        encoder.time_base, encoder.bit_rate = Fraction(1, self._rate), _BIT_RATE
        encoder.flags |= av.codec.context.Flags.global_header
        encoder.open()
        return encoder


def _sound(packet: av.Packet[Any]) -> bytes:
    frame = aac.without_fill(bytes(packet))
    if not aac.begins_with_sound(frame):
        raise NotCopyableError
    return frame
