"""Archives that PicShare has made (`workers.exports`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage import texts
from storage.imports import ImportSource
from storage.models import PhotoAudience, PhotoState
from workers.imports import items
from workers.imports.archive import Archive
from workers.imports.items import ArchivedFile, ArchivedPhoto, Contents

DESCRIPTION = "photos.json"
_SHOWN = {PhotoState.READY, PhotoState.PROCESSING}


def is_one(names: set[str]) -> bool:
    """Return whether an archive is one of PicShare."""
    return {DESCRIPTION, "profile.json"} <= names


def contents(archive: Archive) -> Contents:
    """Return the photos of an archive; raise `BadArchiveError`."""
    found = items.json_list(archive.read(DESCRIPTION), DESCRIPTION)
    return Contents(source=ImportSource.PICSHARE, photos=[_photo(place, each) for place, each in enumerate(found, 1)])


def _photo(place: int, described: Any) -> ArchivedPhoto:
    try:
        return _described(described)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ArchivedPhoto(name=f"{DESCRIPTION}, photo {place}", refused="Its description cannot be read.")


def _described(described: Mapping[str, Any]) -> ArchivedPhoto:
    files = [
        ArchivedFile(
            name=items.file_name(each["file"]),
            alt_text=texts.multi_line(each.get("alt_text") or "")[: texts.MAX_ALT_TEXT],
        )
        for each in described["files"]
    ]
    if not files:
        raise ValueError("no files")
    if PhotoState(described.get("state", PhotoState.READY)) not in _SHOWN:
        return ArchivedPhoto(name=files[0].name, refused="It was not shown where it comes from.")
    posted_at = _time(described["created_at"])
    taken_at = described.get("taken_at")
    return ArchivedPhoto(
        name=files[0].name,
        files=files,
        caption=items.caption(described.get("caption") or ""),
        tags=items.tags(described.get("tags") or ()),
        location=texts.single_line(described.get("location") or "")[:100] or None,
        posted_at=posted_at,
        # Otherwise the former date would be in no field: `created_at` is that of the import.
        taken_at=posted_at if taken_at is None else _time(taken_at),
        audience=PhotoAudience(described.get("audience", PhotoAudience.FOLLOWERS)),
        sensitive=described.get("sensitive") is True,
    )


def _time(text: str) -> datetime:
    return items.moment(datetime.fromisoformat(text).timestamp())
