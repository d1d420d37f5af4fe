"""The documentation becomes a site without a warning, which loads nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.reference import reference
from tests.support.documents import ROOT

_LOADED = re.compile(
    r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* rel="(?:stylesheet|icon)"[^>]* href="([^"]+)"'
)


# Not with --quiet: MkDocs counts no warning then, so that --strict has no effect.
@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the present documents; a warning, as of a link that leads nowhere, is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    return folder


def test_each_document_is_a_page(site: Path) -> None:
    """Each document of docs/ has a page, and so have the changes."""
    documents = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index", "package"}
    assert {path.parent.name for path in site.glob("*/index.html")} == documents | {"changes"}


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    """Fonts, styles, scripts and images come with the site; no page names a host as its own, or has inline styles."""
    for path in site.rglob("*.html"):
        page = path.read_text()
        loaded = {first or second for first, second in _LOADED.findall(page)}
        assert not [address for address in loaded if "//" in address], path
        assert "picshare.invalid" not in page, path
        assert not re.search(r"<style|<[a-z]+ [^>]*(?:style|onclick)=", page), path
    assert not list(site.rglob("*.map"))
    assert not list(site.glob("sitemap*"))


def test_links_out_of_the_documents_are_paths(site: Path) -> None:
    """A link to a file of the repository that is not on the site is its path."""
    page = (site / "live" / "index.html").read_text()
    assert "<code>channels/protocol/live.proto</code>" in page
    assert "../channels" not in page


def test_the_reference_of_the_commands_is_current() -> None:
    """docs/cli.md is what `python -m server.cli.reference` prints."""
    assert (ROOT / "docs" / "cli.md").read_text() == reference()
