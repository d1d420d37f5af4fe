"""What the import of archives needs from elsewhere: pictures are accepted and posted as uploads are, and measured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from storage.imports import ImportItemState, PhotoOrigin
from storage.models import PhotoAudience
from storage.postgres.database import Transaction


class RefusedItemError(Exception):
    """An item cannot be imported; the message says why, for the user."""


class BadArchiveError(Exception):
    """An archive cannot be imported at all; the message says why and what to do, for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedFile:
    """A file that is an image or a video that the service takes; `size` in bytes, `sha256` in hex."""

    path: Path
    sha256: str
    size: int
    content_type: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedPhoto:
    """The description of a photo from an archive; its pictures have their alternative texts with them."""

    author_id: int
    pictures: Sequence[tuple[AcceptedFile, str]]
    caption: str
    tags: Sequence[str]
    location: str | None
    taken_at: datetime | None
    audience: PhotoAudience
    sensitive: bool
    origin: PhotoOrigin


class Intake(Protocol):
    """Accepts files and posts them."""

    async def accept(self, path: Path) -> AcceptedFile:
        """Check a file; raise `RefusedItemError`."""
        ...

    async def post(self, photo: ImportedPhoto, record: Callable[[Transaction, int], Awaitable[None]]) -> None:
        """Store the originals and create the photo; `record` gets the transaction and the photo's id.

        Raises `UnavailableError`, `NotFoundError("user")`, and what `record` raises.
        """
        ...


class ImportMetrics(Protocol):
    """Counts the items of imports."""

    def item_imported(self, *, result: ImportItemState) -> None:
        """Record the result of an item."""
        ...


class NoImportMetrics:
    """Records nothing."""

    def item_imported(self, *, result: ImportItemState) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """Limits of imports; `max_file_bytes` of one file, the greatest that the intake accepts."""

    intake: Intake
    max_items: int
    max_file_bytes: int
    metrics: ImportMetrics = field(default_factory=NoImportMetrics)
