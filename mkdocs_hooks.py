"""Hooks of MkDocs: the anchors of GitHub, the changes as a page, and links to files that are not on the site."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parent
# A link to a file of the repository outside docs/, which only a copy of the repository has.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)")
# The links of a document of the repository's root to documents.
_INSIDE = re.compile(r"\]\(docs/")
# Why a test does not run the block of code that follows (tests/support/snippets.py).
_REASON = re.compile(r"^ *<!-- not run: .* -->\n", re.MULTILINE)


def github_anchor(heading: str, separator: str) -> str:
    """Return the anchor of a heading as GitHub makes it, so that a link is right in both places."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", separator)


def on_config(config: MkDocsConfig) -> None:
    """Make the anchors of headings as GitHub does."""
    config.mdx_configs["toc"]["slugify"] = github_anchor


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changes, and the picture of the service, which are in other folders."""
    changes = _INSIDE.sub("](", (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    files.append(File.generated(config, "changes.md", content=changes))
    icon = _ROOT / "static" / "icons" / "picshare.svg"
    files.append(File.generated(config, "images/picshare.svg", abs_src_path=str(icon)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace each link to a file outside docs/ by its text and the path of the file; remove notes for tests."""
    return _OUTSIDE.sub(_named, _REASON.sub("", markdown))


def on_page_context(context: dict[str, object], page: Page, **_: object) -> dict[str, object]:
    """Remove the canonical address, because each service has its own."""
    page.canonical_url = None
    return context


def on_post_build(config: MkDocsConfig) -> None:
    """Remove the list of addresses, whose host does not exist, and what only developers of the theme need."""
    site = Path(config.site_dir)
    for path in (*site.glob("sitemap.xml*"), *site.rglob("*.map")):
        path.unlink()


def _named(link: re.Match[str]) -> str:
    text, path = link.groups()
    return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"
