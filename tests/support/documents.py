"""Parse the project's documents: fenced blocks and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8080"  # the service's address in the examples
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a document."""

    document: str
    number: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Return a name for test ids: document, language and number."""
        return f"{self.document}-{self.language}-{self.number}"


def documents() -> list[Path]:
    """Return the paths of all documents of the project."""
    names = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    return [*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: str, language: str) -> list[Block]:
    """Return the fenced blocks of one language in a document, in order."""
    found = _FENCE.findall((ROOT / document).read_text())
    texts = [text for name, text in found if name == language]
    return [Block(document=document, number=n, language=language, text=text) for n, text in enumerate(texts, start=1)]


def table_rows(document: str, heading: str) -> list[list[str]]:
    """Return the rows, without the header, of the tables between a heading and the next one."""
    text = (ROOT / document).read_text()
    section = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    assert section, f"{document} has no heading {heading!r}"
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    heads = {index - 1 for index, row in enumerate(cells) if set(row[0]) <= set("-: ")}
    rules = {index + 1 for index in heads}
    return [row for index, row in enumerate(cells) if index not in heads | rules]


def codes_in(text: str) -> list[str]:
    """Return the texts in backticks."""
    return _CODE.findall(text)
