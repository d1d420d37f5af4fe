"""How uploads of images are measured."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Way(StrEnum):
    """How the bytes of an image arrive."""

    FORM = "form"
    SIGNED = "signed"
    TUS = "tus"


class UploadMetrics(Protocol):
    """Measures uploads whose bytes are complete."""

    def upload_received(self, *, way: str, seconds: float, size: int) -> None:
        """Record an upload of `size` bytes.

        `seconds` are those since the beginning of its form, or since it was announced.
        """
        ...


class NoUploadMetrics:
    """Records nothing."""

    def upload_received(self, *, way: str, seconds: float, size: int) -> None:
        """Do nothing."""
