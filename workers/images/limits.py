"""Limits of decoding one image; a module of its own, so that the settings can read the defaults without Pillow."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = 50_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoderLimits:
    """What one image may cost: `deadline` in seconds of wall-clock time, `memory` in bytes of address space, pixels."""

    deadline: float = 10.0
    memory: int = 1_500_000_000
    max_pixels: int = MAX_PIXELS
