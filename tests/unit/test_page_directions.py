"""The style of the page names no side of the screen, so that it is right in both directions of writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STYLES = Path(__file__).parents[2] / "static"

# Declarations that are about the screen and not about a line, with the reason.
ALLOWED = {
    # The edges that a screen loses to its camera and its corners are those of the device.
    "padding: "
    "env(safe-area-inset-top) env(safe-area-inset-right) env(safe-area-inset-bottom) env(safe-area-inset-left)",
}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(r"(?<=[;{])\s*([\w-]+)\s*:\s*([^;{}]+)")
_SIDE = re.compile(r"\b(left|right)\b")
_BOX = {"margin", "padding", "inset", "border-width", "border-style", "border-color", "border-radius"}


def sided(style: str) -> Iterator[str]:
    """Yield the declarations that name the left or the right, or four sides of which these two differ."""
    for name, text in _DECLARATION.findall(_COMMENT.sub("", style)):
        if name.startswith("--"):
            continue
        value = text.strip()
        sides = re.findall(r"(?:[^\s(]|\([^()]*(?:\([^()]*\)[^()]*)*\))+", value)
        differ = name in _BOX and len(sides) == 4 and sides[1] != sides[3]
        if _SIDE.search(name) or _SIDE.search(value) or differ:
            yield f"{name}: {value}"


def test_no_declaration_names_a_side() -> None:
    """Logical properties, as `margin-inline-start` and `text-align: start`, follow the direction of the language."""
    files = [path for path in STYLES.rglob("*.css") if "site" not in path.relative_to(STYLES).parts]
    found = {declaration for path in files for declaration in sided(path.read_text())}
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("style", "found"),
    [
        ("a { margin-left: 1px; }", ["margin-left: 1px"]),
        ("a { text-align: right }", ["text-align: right"]),
        ("a { padding: 1px 2px 1px calc(1px + var(--x)); }", ["padding: 1px 2px 1px calc(1px + var(--x))"]),
        ("a { padding: 1px calc(1px + 2px) 3px calc(1px + 2px); margin-inline-start: 1px; }", []),
        ("/* left */ a { --left: 1px; inset-inline: 0 auto; }", []),
    ],
)
def test_a_side_is_found(style: str, found: list[str]) -> None:
    """Names, values and four different sides are found."""
    assert list(sided(style)) == found
