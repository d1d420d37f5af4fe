"""`index.html` of an export: the user's photos with their captions, to be opened without a network.

It has no script, and every text of a user is escaped. Its own texts are in the language of the account.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from html import escape

from babel.dates import format_date

from locales.catalogues import direction, translate
from locales.sentences import counted_sentence, marked, sentence
from storage.ids import encode
from storage.media_types import VIDEO_TYPES
from storage.models import Photo, PhotoState, User
from storage.postgres.database import Queryable
from storage.stores.accounts import email_addresses
from storage.stores.archives import export_contents
from storage.stores.photos.photo_items import pictures_of
from workers.exports.documents import picture_names

_STATES = {
    PhotoState.PROCESSING: marked("not processed yet"),
    PhotoState.REJECTED: marked("rejected"),
    PhotoState.HIDDEN: marked("hidden"),
}
_HEAD = """<!doctype html>
<html lang="{language}" dir="{direction}">
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
<header><h1><bdi>{name}</bdi></h1><p dir="ltr">@{username}</p><p dir="auto">{bio}</p></header>
<main>
"""
_END = "</main>\n</body>\n</html>\n"


async def offline_page(db: Queryable, user: User, missing: Collection[str]) -> AsyncIterator[bytes]:
    """Yield the page; files in `missing` are not in the archive."""
    absent = frozenset(missing)
    language = await email_addresses.language(db, user.id)
    name = user.display_name or user.username
    yield _HEAD.format(
        language=language,
        direction=direction(language),
        title=escape(translate(sentence("{name} on PicShare", name=name), language)),
        name=escape(name),
        username=escape(user.username),
        bio=escape(user.bio),
    ).encode()
    async for page in export_contents.photos(db, user.id):
        yield "".join(_figure(photo, absent, language) for photo in page).encode()
    yield _END.encode()


def _figure(photo: Photo, missing: frozenset[str], language: str) -> str:
    pictures = [
        _absent(name, language) if name in missing else _element(name, item.content_type, item.alt_text)
        for name, item in zip(picture_names(photo), pictures_of(photo), strict=True)
    ]
    date = photo.taken_at or photo.created_at
    facts = [
        format_date(date.date(), format="long", locale=language),
        translate(counted_sentence("{count} like", "{count} likes", photo.likes), language),
        translate(counted_sentence("{count} comment", "{count} comments", photo.comments), language),
    ]
    if photo.state in _STATES:
        facts.append(translate(_STATES[photo.state], language))
    if photo.location:
        facts.append(photo.location)
    return (
        f'<figure id="{encode(photo.id)}">\n{"".join(pictures)}<figcaption><p dir="auto">{escape(photo.caption)}</p>'
        f"<small>{escape(' · '.join(facts))}</small></figcaption>\n</figure>\n"
    )


def _absent(name: str, language: str) -> str:
    return f"<p>{escape(translate(sentence('{file} is missing.', file=name), language))}</p>\n"


def _element(name: str, content_type: str, alt_text: str) -> str:
    source, text = escape(name), escape(alt_text)
    if content_type in VIDEO_TYPES:
        return f'<video src="{source}" aria-label="{text}" controls preload="metadata"></video>\n'
    return f'<a href="{source}"><img src="{source}" alt="{text}" loading="lazy"></a>\n'
