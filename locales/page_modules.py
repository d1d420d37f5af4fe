"""The catalogues of the page as modules of JavaScript, each of which exports its texts as `TEXTS`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from locales.catalogues import ENGLISH, LANGUAGES, texts_of


def page_modules() -> Mapping[str, bytes]:
    """Return the modules by their paths below `static`, for example "texts/de.js".

    The page shows texts of the server, too: notifications have their templates (`locales.sentences`).
    """
    return {f"texts/{language}.js": module_of(language) for language in LANGUAGES if language != ENGLISH}


def module_of(language: str) -> bytes:
    """Return the module of a language."""
    texts = {**texts_of(language, "server"), **texts_of(language, "page")}
    return b"export const TEXTS = " + orjson.dumps(texts) + b";\n"
