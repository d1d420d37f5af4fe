"""JPEGs that differ in their bytes and cost nothing to make.

The service stores identical bytes once, so a repeated picture would be less work for it. Each upload therefore carries
its number in a comment segment (ITU-T T.81, B.2.4.5), which every decoder skips.
"""

from __future__ import annotations

import struct
from pathlib import Path

from loadtest.errors import LoadTestError

DEFAULT = Path(__file__).with_name("photo.jpg")  # 640 × 427 pixels of gradients and noise, 100 KB
_START = b"\xff\xd8"
_COMMENT = b"\xff\xfe"


class Pictures:
    """Any number of variants of one photo; `salt` makes those of different load tests different."""

    def __init__(self, photo: bytes, salt: str) -> None:
        self._photo = photo
        self._salt = salt
        self._number = 0

    @classmethod
    def read(cls, path: Path, salt: str) -> Pictures:
        """Read a JPEG file; raise `LoadTestError` if that is not possible."""
        try:
            photo = path.read_bytes()
        except OSError as error:
            raise LoadTestError(f"The photo {path} cannot be read: {error.strerror}.") from error
        if not photo.startswith(_START):
            raise LoadTestError(f"The photo {path} is not a JPEG.")
        return cls(photo, salt)

    def next(self) -> bytes:
        """Return the next variant."""
        self._number += 1
        text = f"{self._salt} {self._number}".encode()
        comment = _COMMENT + struct.pack(">H", len(text) + 2) + text
        return _START + comment + self._photo[len(_START) :]
