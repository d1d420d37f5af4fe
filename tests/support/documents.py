"""Parse the project's documents: fenced blocks and tables."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8080"  # the service's address in the examples
_FENCE = re.compile(
    r"^(?: *<!-- not run: (?P<reason>[^\n]+) -->\n+)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a document; `reason` says why it is not run, from a comment in the line before it."""

    document: str
    number: int
    line: int
    language: str
    text: str
    reason: str | None = None

    @property
    def name(self) -> str:
        """Return a name for test ids: document, language and number."""
        return f"{self.document}-{self.language}-{self.number}"


def documents() -> list[Path]:
    """Return the paths of all documents of the project."""
    names = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    return [*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: str, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a document, of one language or of all, in order; numbered by language."""
    content, numbers, found = (ROOT / document).read_text(), Counter[str](), list[Block]()
    for fence in _FENCE.finditer(content):
        numbers[fence["language"]] += 1
        block = Block(
            document=document,
            number=numbers[fence["language"]],
            line=content.count("\n", 0, fence.start("language")) + 1,
            language=fence["language"],
            text=textwrap.dedent(fence["text"]),
            reason=fence["reason"],
        )
        if language in {None, block.language}:
            found.append(block)
    return found


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
