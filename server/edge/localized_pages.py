"""The pages of the web application in each language: their attributes, the few texts in them, and their catalogue."""

from __future__ import annotations

from html import escape

from locales.catalogues import ENGLISH, direction, translate
from locales.sentences import marked
from server.edge.first_view import TEXTS as FIRST_TEXTS
from server.edge.joined_modules import FOLDER
from server.edge.localized_manifests import MANIFEST, manifest_name
from server.edge.static_files import StaticFile, StaticVersion

# The texts in index.html; all others are written by scripts.
_TEXTS = (
    marked("Photos from the people you follow, the moment they share them."),
    marked("Skip to content"),
    marked("PicShare needs JavaScript. Please enable it in your browser."),
    *FIRST_TEXTS,
)
_HTML = b'<html lang="en">'
_SCRIPT = b'<script type="module"'


class LocalizedPages:
    """Pages of the current version of the files, made once for each language."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str, str], StaticFile] = {}

    def page(self, version: StaticVersion, name: str, page: StaticFile, language: str) -> StaticFile:
        """Return a page in a language."""
        if language == ENGLISH:
            return page
        key = (version.name, name, language)
        if key not in self._pages:
            self._pages = {known: each for known, each in self._pages.items() if known[0] == version.name}
            self._pages[key] = StaticFile.of(page.content_type, localized(page.body, version.name, language))
        return self._pages[key]


def localized(page: bytes, version: str, language: str) -> bytes:
    """Return a page in a language; its catalogue is loaded together with its script."""
    page = page.replace(_HTML, f'<html lang="{language}" dir="{direction(language)}">'.encode())
    preload = f'<link rel="modulepreload" href="/static/v-{version}/{FOLDER}/texts/{language}.js">\n    '.encode()
    page = page.replace(_SCRIPT, preload + _SCRIPT, 1)
    page = page.replace(f"/{MANIFEST}".encode(), f"/{manifest_name(language)}".encode())
    for text in _TEXTS:
        translated = escape(translate(text, language)).encode()
        for before, after in ((b">", b"<"), (b'"', b'"')):
            page = page.replace(before + text.encode() + after, before + translated + after)
    return page
