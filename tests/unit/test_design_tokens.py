"""The design tokens: css/tokens.css is the one place of their values, and the page /design shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "static"
TOKENS = STATIC / "css" / "tokens.css"
# Each style except the tokens, and the page without a connection, which has to do without the files of the application.
STYLES = sorted(
    path
    for folder in ("css", "docs", "graphql")
    for path in (STATIC / folder).glob("*.css")
    if path.name != "tokens.css"
)

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(r"([\w-]+):\s*([^;{}]+);")
_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch)a?\(", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.-])-?\d*\.?\d+(?:px|rem|em|ms|s|%)?(?![\w.])")
_SPACING = re.compile(r"(?:padding|margin|gap|row-gap|column-gap)(?:-(?:block|inline)(?:-(?:start|end))?)?")

# A ring, or a line inside: no shadow, although it is drawn as one.
_RING = re.compile(r"(?:inset )?0 (?:0|2px) 0 (?:(?:\dpx|100vmax) )?var\(--[\w-]+\)")

# What a property may have besides tokens, for each kind of property.
_FREE = {"1px", "100%", "50%"}

# (file, property, value) -> why this is no token.
REASONS = {
    ("css/users.css", "background", "hsl(var(--hue) var(--avatar-saturation) var(--avatar-lightness))"): (
        "the hue is that of a user name"
    ),
    ("css/base.css", "margin", "-1px"): "the usual way to hide a text visually",
    ("css/base.css", "animation-duration", "1ms !important"): "reduced motion: events of animations still fire",
    ("docs/docs.css", "padding-inline-start", "5.25rem"): "the width of the method of an operation",
}


def tokens() -> dict[str, str]:
    """Return the tokens, without what some preferences of users replace."""
    return dict(declarations(TOKENS, until="@media"))


def declarations(path: Path, until: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the properties and values of a style, those before a text alone if there is one."""
    text = _COMMENT.sub("", path.read_text())
    for name, value in _DECLARATION.findall(text.split(until)[0] if until else text):
        yield name, " ".join(value.split())


def is_literal(name: str, value: str) -> bool:
    """Return whether a value has a colour, a size, a duration or a layer of its own where a token belongs."""
    own = re.sub(r"var\([^)]*\)", "", value)
    # A number without a unit multiplies a token.
    numbers = {number for number in _NUMBER.findall(own) if not number[-1].isdigit()} - _FREE
    kinds = (
        (name in {"font-weight", "z-index"}, re.search(r"\d", own)),
        (name == "box-shadow", _NUMBER.search(_RING.sub("", value))),
        (name == "font", any(re.search(r"px|em", number) for number in numbers)),
        (name in {"font-size", "border-radius"} or _SPACING.fullmatch(name), numbers),
        (name.startswith(("transition", "animation")), any(number.endswith("s") for number in numbers)),
    )
    return bool(_COLOUR.search(value)) or any(concerned and found for concerned, found in kinds)


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles_have_no_values_of_their_own(path: Path) -> None:
    """Colours, sizes of type, spacing, corners, shadows, durations and layers are tokens, or have a reason."""
    file = path.relative_to(STATIC).as_posix()
    found = {(file, name, value) for name, value in declarations(path) if is_literal(name, value)}
    assert found == {reason for reason in REASONS if reason[0] == file}


def test_every_token_that_is_used_exists_and_every_one_is_used() -> None:
    """A misspelt name would silently have no value, and an unused token is dead."""
    defined = set(re.findall(r"^\s*--([\w-]+):", TOKENS.read_text(), re.MULTILINE))
    texts = [path.read_text() for path in (*STYLES, *STATIC.glob("js/**/*.js"))]
    local = {name for text in texts for name in re.findall(r"^\s*--([\w-]+):", text, re.MULTILINE)}
    local |= {name for text in texts for name in re.findall(r'"--([\w-]+)"', text)}
    used = {name for text in (*texts, TOKENS.read_text()) for name in re.findall(r"var\(--([\w-]+)\)", text)}
    assert used - defined - local == set()
    assert defined - used == set()


def test_the_page_of_the_design_shows_every_token() -> None:
    """Except those that are used in the layout alone, where the page has no place for a sample."""
    defined = set(re.findall(r"^\s*--([\w-]+):", TOKENS.read_text(), re.MULTILINE))
    shown = set(re.findall(r'"([\w-]+)"', (STATIC / "js" / "design" / "design_page.js").read_text()))
    hidden = {
        name for name in defined if re.match(r"layer-|transition-|duration-|avatar-|ease$|font$|font-mono$", name)
    }
    layout = {"sidebar-width", "side-column-width", "column-width", "wide-width", "shadow-on-picture", "backdrop"}
    assert defined - shown == hidden | layout


def test_each_colour_has_a_light_and_a_dark_value() -> None:
    """Except those for what lies on photos, which are the same in both themes."""
    colours = {name: value for name, value in tokens().items() if _COLOUR.search(value)}
    alike = {name for name, value in colours.items() if "light-dark(" not in value}
    assert alike == {"--on-picture", "--scrim", "--picture-ground", "--picture-label", "--shadow-on-picture"}


def test_the_bars_of_the_browser_have_the_background_of_the_page() -> None:
    """`theme-color` has the light and the dark background, for each of which the page has one element."""
    (light, dark) = re.findall(r"#[0-9a-f]{6}", tokens()["--background"])
    page = (STATIC / "index.html").read_text()
    found = re.findall(r'<meta name="theme-color" content="(#\w+)" data-scheme="(\w+)"', page)
    assert found == [(light, "light"), (dark, "dark")]
