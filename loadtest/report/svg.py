"""SVG elements as text, as far as the picture of a load test needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

Point = tuple[float, float]


def element(name: str, content: str = "", **attributes: object) -> str:
    """Return an element; `content` is markup, an attribute's underscores become hyphens, `class_` is `class`."""
    pairs = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_number(value))}" for key, value in attributes.items()
    )
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def text(words: str, x: float, y: float, class_: str = "", anchor: str = "start") -> str:
    """Return a text whose baseline starts, is centred ("middle") or ends at a point."""
    return element("text", escape(words), x=x, y=y, class_=class_ or "label", text_anchor=anchor)


def line(start: Point, end: Point, class_: str) -> str:
    """Return a straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def rectangle(corner: Point, size: Point, class_: str, *, radius: float) -> str:
    """Return a rectangle with rounded corners; `size` is its width and height."""
    return element("rect", x=corner[0], y=corner[1], width=size[0], height=size[1], rx=radius, class_=class_)


def path(points: Sequence[Point], class_: str, *, closed: bool = False) -> str:
    """Return a line through points; a single point is a dot."""
    if len(points) == 1:
        return element("circle", cx=points[0][0], cy=points[0][1], r=2.5, class_=f"dot {class_}")
    steps = "".join(f"{'M' if number == 0 else 'L'}{_number(x)} {_number(y)}" for number, (x, y) in enumerate(points))
    return element("path", d=steps + ("Z" if closed else ""), class_=class_)


def band(low: Sequence[Point], high: Sequence[Point], class_: str) -> str:
    """Return the area between two lines with the same x."""
    return path([*high, *reversed(low)], class_, closed=True) if len(low) > 1 else ""


def group(parts: Iterable[str], **attributes: object) -> str:
    """Return a group of elements."""
    return element("g", "".join(parts), **attributes)


def _number(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
