"""The types of originals that are videos; the others are pictures."""

from __future__ import annotations

VIDEO_TYPES = frozenset({"video/mp4", "video/quicktime"})
