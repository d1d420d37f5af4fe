"""The layout of the web application's modules: which folder of static/js imports which, and no cycle among them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

MODULES = Path(__file__).parents[2] / "static/js"

# folder -> what its modules may import. An arrow that no import uses any more fails the test, so that the list stays
# true. The modules beside the folders, `app.js` and `shell.js`, may import all of them; `live` is the live client.
ALLOWED: Mapping[str, frozenset[str]] = {
    folder: frozenset(arrows.split())
    for folder, arrows in {
        # What every page uses: elements of a page, and requests to the API.
        "elements": "",
        "service": "elements live",
        # What is sent when there is a connection, by pages and by the service worker.
        "pending": "elements service",
        "worker": "pending service",
        # Parts that several pages show.
        "users": "elements",
        "reports": "elements",
        "post": "elements users",
        "photo": "elements post reports users",
        "uploads": "elements photo post service",
        # Pages.
        "lists": "elements photo users",
        "feed": "discover elements photo service users",
        "discover": "elements photo users",
        "design": "elements users",
        "profile": "elements lists photo reports users",
        "notifications": "elements photo users",
        "account": "elements photo reports service",
        "moderation": "elements photo reports users",
        "settings": "account elements notifications profile reports service users",
    }.items()
}

_IMPORT = re.compile(r'(?:from |import\()"(\.[^"]+)"')


def arrows() -> Iterator[tuple[str, str]]:
    """Yield the folders of each module and of each module that it imports, if they differ."""
    for path in MODULES.rglob("*/*.js"):
        folder = path.parent.relative_to(MODULES).as_posix()
        for target in _IMPORT.findall(path.read_text()):
            other = posixpath.normpath(posixpath.join("js", folder, target))
            if posixpath.dirname(other) != f"js/{folder}":
                yield folder, posixpath.dirname(other).removeprefix("js/") or other


def test_imports_follow_the_arrows() -> None:
    """Each folder imports exactly those that are listed."""
    found: dict[str, set[str]] = {folder.name: set() for folder in MODULES.iterdir() if folder.is_dir()}
    for folder, other in arrows():
        found[folder].add(other)
    assert found == ALLOWED


def test_the_arrows_form_no_cycle() -> None:
    """A folder can be read with those that it imports alone."""
    TopologicalSorter(ALLOWED).prepare()
