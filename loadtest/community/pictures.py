"""JPEGs that all differ by their bytes and cost nothing to make.

The service stores equal bytes once, and would have less work with a picture that it has seen. So each upload
carries its number in a comment segment (ITU-T T.81, B.2.4.5), which every decoder skips.
"""

from __future__ import annotations

import struct
from pathlib import Path

from loadtest.errors import LoadTestError

DEFAULT = Path(__file__).parents[2] / "server" / "demo" / "photos" / "rocket.jpg"  # 640 × 427 pixels, 110 KB
_START = b"\xff\xd8"
_COMMENT = b"\xff\xfe"


class Pictures:
    """One photograph in any number of editions; `salt` keeps those of different load tests apart."""

    def __init__(self, photo: bytes, salt: str) -> None:
        self._photo = photo
        self._salt = salt
        self._number = 0

    @classmethod
    def of(cls, path: Path, salt: str) -> Pictures:
        """Return the editions of a JPEG file; raise `LoadTestError` when it is none."""
        try:
            photo = path.read_bytes()
        except OSError as error:
            raise LoadTestError(f"The photo {path} cannot be read: {error.strerror}.") from error
        if not photo.startswith(_START):
            raise LoadTestError(f"The photo {path} is not a JPEG.")
        return cls(photo, salt)

    def next(self) -> bytes:
        """Return another edition."""
        self._number += 1
        words = f"{self._salt} {self._number}".encode()
        comment = _COMMENT + struct.pack(">H", len(words) + 2) + words
        return _START + comment + self._photo[len(_START) :]
