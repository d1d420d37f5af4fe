"""Samples of a track as they are collected from packets, and the track that they become."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av

from workers.videos.mp4 import SCALE, Track


class NotCopyableError(Exception):
    """A stream cannot be copied, and has to be encoded again."""


class Samples:
    """Samples in decoding order; their times are in units of `base` seconds."""

    def __init__(self, base: Fraction) -> None:
        if base.numerator != 1:
            raise NotCopyableError
        self._scale = base.denominator
        self._decoded: list[int] = []
        self._shown: list[int] = []
        self._last = 0  # duration
        self._keys: list[int] = []
        self.data: list[bytes] = []

    def add(self, packet: av.Packet[Any], data: bytes) -> None:
        """Add a packet with the bytes of its sample; raise `NotCopyableError` if its times are not usable."""
        if packet.dts is None or packet.pts is None or packet.pts < packet.dts:
            raise NotCopyableError
        if self._decoded and packet.dts <= self._decoded[-1]:
            raise NotCopyableError
        if packet.is_keyframe:
            self._keys.append(len(self.data))
        self._decoded.append(packet.dts)
        self._shown.append(packet.pts)
        self._last = max(1, packet.duration or 1)
        self.data.append(data)

    @property
    def first(self) -> Fraction:
        """Return the seconds at which the first sample is presented; there is one."""
        return Fraction(min(self._shown), self._scale)

    def track(self, zero: Fraction, make: Callable[..., Track]) -> Track:
        """Return the track in a movie that begins at `zero`, in seconds of the packets' time."""
        start = self._decoded[0]
        late = max(Fraction(0), self.first - zero)
        begin = round(max(zero, self.first) * self._scale)
        return make(
            scale=self._scale,
            durations=[later - earlier for earlier, later in zip(self._decoded, self._decoded[1:], strict=False)]
            + [self._last],
            sizes=[len(each) for each in self.data],
            delays=[shown - decoded for shown, decoded in zip(self._shown, self._decoded, strict=True)],
            keys=None if len(self._keys) == len(self.data) else self._keys,
            start=round(late * SCALE),
            skip=max(0, begin - start),
        )
