"""A chart of horizontal bars with their spread, as SVG for light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LABELS, _VALUES = 760, 180, 110  # pixels: the chart, the labels before the bars, the numbers after them
_BAR, _GAP, _HEADING = 16, 8, 34  # pixels
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:15px}.h{font-weight:600}"
    ".u{fill:#59636e}.ours{fill:#0969da}.theirs{fill:#afb8c1}.s{stroke:#1f2328;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.u{fill:#9198a1}.ours{fill:#4493f8}"
    ".theirs{fill:#57606a}.s{stroke:#f0f6fc}}"
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One value with its least and greatest; `ours` is highlighted."""

    label: str
    value: float
    least: float
    greatest: float
    ours: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    """Bars under one heading, on a scale of their own."""

    heading: str
    bars: Sequence[Bar]


def draw(title: str, unit: str, groups: Sequence[Group]) -> str:
    """Return the SVG document; each group's longest bar fills the width."""
    parts, y = [_text(0, 18, title, "t"), _text(_WIDTH, 18, unit, "u", anchor="end")], _HEADING
    for group in groups:
        y += 20
        parts.append(_text(0, y, group.heading, "h"))
        y += 10
        scale = (_WIDTH - _LABELS - _VALUES) / max(bar.greatest for bar in group.bars)
        for bar in group.bars:
            parts += _bar(bar, y, scale)
            y += _BAR + _GAP
        y += _GAP
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" aria-label="{escape(title)}">\n'
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def _bar(bar: Bar, y: float, scale: float) -> list[str]:
    middle, kind = y + _BAR / 2, "ours" if bar.ours else "theirs"
    least, greatest = _LABELS + bar.least * scale, _LABELS + bar.greatest * scale
    return [
        _text(_LABELS - 10, y + 13, bar.label, "h" if bar.ours else "", anchor="end"),
        f'<rect class="{kind}" x="{_LABELS}" y="{y:g}" width="{bar.value * scale:.1f}" height="{_BAR}" rx="2"/>',
        f'<line class="s" x1="{least:.1f}" y1="{middle:g}" x2="{greatest:.1f}" y2="{middle:g}"/>',
        _text(greatest + 8, y + 13, f"{bar.value:.3g}", "h" if bar.ours else ""),
    ]


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
