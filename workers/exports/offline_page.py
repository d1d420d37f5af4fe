"""`index.html` of an export: the user's photos with their captions, to be opened without a network.

It has no script, and every text of a user is escaped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from html import escape

from storage.ids import encode
from storage.media_types import VIDEO_TYPES
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Queryable
from storage.stores.archives import export_contents
from storage.stores.photos.photo_items import pictures_of
from workers.exports.documents import picture_names

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; object-src 'none'; base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ max-width: 60rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 1.5rem; }}
figure {{ margin: 0; overflow-wrap: anywhere; }}
img, video {{ display: block; width: 100%; height: auto; margin-bottom: 0.25rem; }}
figcaption p {{ margin: 0; white-space: pre-line; }}
small {{ opacity: 0.75; }}
</style>
</head>
<body>
<header><h1>{name}</h1><p>@{username}</p><p>{bio}</p></header>
<main>
"""
_END = "</main>\n</body>\n</html>\n"


async def offline_page(db: Queryable, user: User, missing: Collection[str]) -> AsyncIterator[bytes]:
    """Yield the page; files in `missing` are not in the archive."""
    absent = frozenset(missing)
    yield _HEAD.format(
        title=escape(f"{user.display_name} on PicShare"),
        name=escape(user.display_name),
        username=escape(user.username),
        bio=escape(user.bio),
    ).encode()
    async for page in export_contents.photos(db, user.id):
        yield "".join(_figure(photo, absent) for photo in page).encode()
    yield _END.encode()


def _figure(photo: Photo, missing: frozenset[str]) -> str:
    pictures = [
        f"<p>{escape(name)} is missing.</p>\n" if name in missing else _element(name, item.content_type, item.alt_text)
        for name, item in zip(picture_names(photo), pictures_of(photo), strict=True)
    ]
    date = photo.taken_at or photo.created_at
    facts = [f"{date:%Y-%m-%d}", f"{photo.likes} likes", f"{photo.comments} comments"]
    if photo.state is not PhotoState.READY:
        facts.append(photo.state.value)
    if photo.location:
        facts.append(photo.location)
    return (
        f'<figure id="{encode(photo.id)}">\n{"".join(pictures)}<figcaption><p>{escape(photo.caption)}</p>'
        f"<small>{escape(' · '.join(facts))}</small></figcaption>\n</figure>\n"
    )


def _element(name: str, content_type: str, alt_text: str) -> str:
    source, text = escape(name), escape(alt_text)
    if content_type in VIDEO_TYPES:
        return f'<video src="{source}" aria-label="{text}" controls preload="metadata"></video>\n'
    return f'<a href="{source}"><img src="{source}" alt="{text}" loading="lazy"></a>\n'
