"""The photos that an archive describes, whatever program has made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from storage import texts
from storage.imports import ImportSource
from storage.models import PhotoAudience
from storage.stores.photos.photo_items import MAX_ITEMS
from workers.imports.port import BadArchiveError

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedFile:
    """A file of the archive and the text for those who cannot see it."""

    name: str
    alt_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedPhoto:
    """A photo of an archive; `refused` says why it cannot be imported, if its description says so already."""

    name: str
    files: Sequence[ArchivedFile] = ()
    caption: str = ""
    tags: Sequence[str] = ()
    location: str | None = None
    posted_at: datetime | None = None
    taken_at: datetime | None = None
    audience: PhotoAudience | None = None
    sensitive: bool = False
    refused: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What an archive is, and its photos."""

    source: ImportSource
    photos: Sequence[ArchivedPhoto]


def json_list(data: bytes, name: str) -> list[Any]:
    """Return the list in a JSON file; raise `BadArchiveError`."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadArchiveError(f"{name} in the archive is not valid JSON: {error}.") from error
    if not isinstance(found, list):
        raise BadArchiveError(f"{name} in the archive is not a list of photos.")
    return found


def chunked(files: Sequence[ArchivedFile]) -> Iterator[Sequence[ArchivedFile]]:
    """Yield the files of a post as posts here: pictures by ten, and each video alone."""
    pictures: list[ArchivedFile] = []
    for file in files:
        if file.name.lower().endswith(VIDEO_SUFFIXES):
            yield (file,)
        else:
            pictures.append(file)
    for start in range(0, len(pictures), MAX_ITEMS):
        yield tuple(pictures[start : start + MAX_ITEMS])


def file_name(found: object) -> str:
    """Return what a description says as the name of a file; raise `ValueError`. Whether there is one is seen later."""
    if not isinstance(found, str) or "\0" in found:
        raise ValueError("not the name of a file")
    return found


def moment(seconds: float) -> datetime:
    """Return the time of a Unix timestamp; raise `ValueError` if it is none of a photo."""
    try:
        found = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("not a time") from error
    if not datetime(1826, 1, 1, tzinfo=UTC) <= found <= datetime.now(UTC):
        raise ValueError("not the time of a photo")
    return found


def caption(text: str) -> str:
    """Return a text as a caption, cut to the length of one; raise `ValueError`."""
    return texts.multi_line(text)[: texts.MAX_CAPTION].strip()


def tags(found: Sequence[str]) -> list[str]:
    """Return those texts that are tags, as many as a photo may have."""
    kept: list[str] = []
    for text in found:
        try:
            kept.append(texts.tag(text))
        except ValueError:
            continue
    return list(dict.fromkeys(kept))[: texts.MAX_TAGS]
