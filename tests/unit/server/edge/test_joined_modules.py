"""The joined modules of the web application: their form, and what a first view of it weighs."""

from __future__ import annotations

import gzip
import posixpath
import re
from collections.abc import Mapping

import pytest

from locales.page_modules import page_modules
from server.edge.joined_modules import ModuleFormError, joined_files
from server.edge.static_files import SITE
from tests.support.documents import ROOT

STATIC = ROOT / "static"
FIRST_VIEW = 120_000  # bytes of page, script and style, compressed
PAGE = '<script type="module" src="/static/js/app.js"></script>'


def application() -> dict[str, bytes]:
    """Return the files of the web application that are joined."""
    files = (path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html"})
    named = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in files}
    return {**page_modules(), **{name: content for name, content in named.items() if not name.startswith(f"{SITE}/")}}


def joined(**modules: str) -> Mapping[str, bytes]:
    """Return the joined files of a page with some modules below `js/`."""
    named = {f"js/{name}.js": text.encode() for name, text in modules.items()}
    return joined_files({"index.html": PAGE.encode(), **named})


def test_every_module_of_the_application_is_joined() -> None:
    """With the page, or with a module that is imported when it is needed; none is in the first script and another."""
    files = application()
    found = joined_files(files)
    parts = {
        path: set(re.findall(r'^modules\["([^"]+)"\] \?\?=', text.decode(), re.MULTILINE))
        for path, text in found.items()
        if path.startswith("joined/") and path.endswith(".js")
    }
    first = parts.pop("joined/js/app.js")
    for page in ("joined/docs/docs.js", "joined/graphql/explorer.js"):
        parts.pop(page, None)
    sources = {name for name in files if name.startswith(("js/", "live", "texts/")) and name.endswith(".js")}
    worker = set(re.findall(r'^modules\["([^"]+)"\] \?\?=', found["sw.js"].decode(), re.MULTILINE))
    assert "js/worker/shell_cache.js" in worker
    assert first.union(worker - {"sw.js"}, *parts.values()) == sources
    assert all(not part & first for part in parts.values())
    named = {
        posixpath.normpath(posixpath.join("joined", posixpath.dirname(path), later))
        for path in sources
        for later in re.findall(r'import\("([^"]+)"\)', files[path].decode())
    }
    assert named == set(parts)
    assert b"modulepreload" not in found["index.html"]
    assert found["index.html"].count(b"<script") == found["index.html"].count(b'rel="stylesheet"') == 1


def test_the_first_view_keeps_to_its_budget() -> None:
    """The page, its script and its style have at most 120 KB."""
    found = joined_files(application())
    first = ("index.html", "joined/js/app.js", "joined/index.css")
    assert sum(len(gzip.compress(found[name], mtime=0)) for name in first) <= FIRST_VIEW


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("export default 1;", "export default 1;"),
        ("export let count = 0;", "export let count = 0;"),
        ("const loaded = await fetch('/');", "const loaded = await"),
        ('import * as dom from "./dom.js";', "import * as dom"),
        ('import "./dom.js";', 'import "./dom.js";'),
        ('import { a } from "./missing.js";', "there is no module js/missing.js"),
        ('import { a } from "./app.js";', "js/app.js imports itself in a circle"),
    ],
)
def test_another_form_is_refused(text: str, reason: str) -> None:
    """The error names the module and what it contains."""
    with pytest.raises(ModuleFormError, match=re.escape(reason)):
        joined(app=text, dom="export const a = 1;")


def test_later_imports_lead_to_joined_files() -> None:
    """From the place of the file that a module is joined into, wherever the module itself is."""
    found = joined_files(application())
    for path, text in found.items():
        for later in re.findall(r'import\("([^"]+)"\)', text.decode() if path.endswith(".js") else ""):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(path), later)) in found, (path, later)
