"""Archives that Instagram has made, in the format JSON.

Their texts are broken: each byte of the UTF-8 is written as the character of this number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from storage import texts
from storage.imports import ImportSource
from workers.imports import items
from workers.imports.archive import Archive
from workers.imports.items import ArchivedFile, ArchivedPhoto, Contents

# Below the archive's own directory, the path has changed over the years.
_DESCRIPTION = re.compile(r"(?P<top>(?:[^/]+/)?)(?:your_instagram_activity/)?(?:media|content)/posts_\d+\.json")


def descriptions(names: set[str]) -> list[str]:
    """Return the names of the files that describe posts."""
    return sorted(name for name in names if _DESCRIPTION.fullmatch(name))


def contents(archive: Archive, names: list[str]) -> Contents:
    """Return the photos of an archive; raise `BadArchiveError`."""
    found: list[ArchivedPhoto] = []
    for name in names:
        match = _DESCRIPTION.fullmatch(name)
        top = match["top"] if match is not None else ""
        # A directory of the format itself is none of its own.
        top = "" if top in {"your_instagram_activity/", "media/", "content/"} else top
        for place, post in enumerate(items.json_list(archive.read(name), name), 1):
            found += _photos(f"{name}, post {place}", top, post)
    return Contents(source=ImportSource.INSTAGRAM, photos=found)


def repaired(text: str) -> str:
    """Return a text as it was written; one that is not broken stays as it is."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _photos(place: str, top: str, post: Any) -> Iterator[ArchivedPhoto]:
    try:
        yield from list(_described(top, post))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        yield ArchivedPhoto(name=place, refused="Its description cannot be read.")


def _described(top: str, post: Mapping[str, Any]) -> Iterator[ArchivedPhoto]:
    media = post["media"]
    first = media[0]
    # The text of a post with one picture is that of the picture.
    text = items.caption(repaired(post.get("title") or first.get("title") or ""))
    posted_at = items.moment(float(post.get("creation_timestamp") or first["creation_timestamp"]))
    files = [ArchivedFile(name=top + items.file_name(each["uri"]), alt_text=_alt_text(each, text)) for each in media]
    for chunk in items.chunked(files):
        yield ArchivedPhoto(
            name=chunk[0].name.removeprefix(top), files=chunk, caption=text, posted_at=posted_at, taken_at=posted_at
        )


def _alt_text(media: Mapping[str, Any], caption: str) -> str:
    """Return the text of one picture among several, unless it is that of the post."""
    found = texts.multi_line(repaired(media.get("title") or ""))[: texts.MAX_ALT_TEXT]
    return "" if found == caption else found
