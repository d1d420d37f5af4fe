"""Events about imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class ImportRequested(Event):
    """The next items of an import are to be worked off; the handler emits the next event."""

    topic: ClassVar[str] = "import.requested"
    import_id: int
    user_id: int


@dataclass(frozen=True, kw_only=True)
class PhotoImported(Event):
    """A photo of an import is ready: what `PhotoReady` is for others, without an announcement."""

    topic: ClassVar[str] = "photo.imported"
    photo_id: int
    author_id: int
