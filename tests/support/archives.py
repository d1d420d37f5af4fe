"""Archives to be imported: exports of PicShare and Instagram, whole and broken."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

POSTED = 1_577_880_000  # 2020-01-01T12:00:00Z
POSTS = "your_instagram_activity/media/posts_1.json"


def archive(files: Mapping[str, bytes | str], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP file."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return sink.getvalue()


def broken_text(text: str) -> str:
    """Return a text as Instagram writes it: each byte of the UTF-8 is a character."""
    return text.encode().decode("latin-1")


def post(*uris: str, text: str = "", at: int = POSTED) -> dict[str, Any]:
    """Return the description of a post, as Instagram writes it: that of one picture differs."""
    if len(uris) == 1:
        return {"media": [{"uri": uris[0], "creation_timestamp": at, "title": broken_text(text)}]}
    media = [{"uri": uri, "creation_timestamp": at, "title": ""} for uri in uris]
    return {"media": media, "title": broken_text(text), "creation_timestamp": at}


def instagram(posts: Sequence[Any], files: Mapping[str, bytes], *, top: str = "") -> bytes:
    """Return an archive of Instagram."""
    named = {top + name: content for name, content in files.items()}
    return archive({top + POSTS: json.dumps(posts), **named})


def picshare(photos: Any, files: Mapping[str, bytes]) -> bytes:
    """Return an archive of PicShare."""
    return archive({"profile.json": "{}", "photos.json": json.dumps(photos), **files})
