"""The picture of the parts of PicShare: `python -m deploy.architecture > docs/images/architecture.svg`.

It has no script and no font of its own, and its colours follow the colour scheme of the reader's system.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 960, 600
_LINE = 17  # pixels from one line of text to the next
_STYLE = """
  .paper { fill: #fbfaf8; }
  text { font: 14px system-ui, sans-serif; fill: #1d1b18; text-anchor: middle; }
  .name { font-weight: 600; font-size: 15px; }
  .path { font: 12px ui-monospace, monospace; fill: #5d574e; }
  .label { font-size: 12.5px; fill: #5d574e; }
  rect.own { fill: #ffffff; stroke: #b3214f; stroke-width: 1.5; }
  rect.engine { fill: #efece5; stroke: #8b8477; }
  rect.outside { fill: none; stroke: #8b8477; stroke-dasharray: 5 4; }
  .arrow { fill: none; stroke: #5d574e; stroke-width: 1.5; marker-end: url(#head); }
  #head path { fill: #5d574e; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #1a1917; }
    text { fill: #f1eee8; }
    .path, .label { fill: #b9b2a6; }
    rect.own { fill: #242220; stroke: #ff7ba3; }
    rect.engine { fill: #302d29; stroke: #8b8477; }
    .arrow { stroke: #b9b2a6; }
    #head path { fill: #b9b2a6; }
  }
"""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A part: of PicShare (`own`), an engine, or what is outside; `paths` are folders of the repository."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    name: str
    lines: Sequence[str] = ()
    paths: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """A way of data, along points, with a label whose middle is at `at`."""

    points: Sequence[tuple[int, int]]
    label: str
    at: tuple[int, int]


BOXES = (
    Box(kind="outside", x=40, y=24, width=560, height=52, name="browsers, apps, SDKs"),
    Box(kind="outside", x=720, y=24, width=200, height=52, name="webhook receivers"),
    Box(kind="own", x=40, y=150, width=250, height=76, name="api", lines=["REST, GraphQL, pages"], paths="server/api"),
    Box(kind="own", x=350, y=150, width=250, height=76, name="live", lines=["connections"], paths="channels"),
    Box(kind="engine", x=40, y=314, width=210, height=70, name="PostgreSQL", lines=["rows, and an outbox"]),
    Box(kind="engine", x=350, y=314, width=250, height=70, name="Redis", lines=["feeds, cards, counters, registry"]),
    Box(kind="engine", x=680, y=314, width=190, height=70, name="blob store", lines=["originals, variants"]),
    Box(
        kind="own",
        x=40,
        y=474,
        width=210,
        height=76,
        name="relay",
        lines=["outbox to RabbitMQ"],
        paths="workers/broker",
    ),
    Box(
        kind="own",
        x=350,
        y=474,
        width=520,
        height=76,
        name="workers",
        lines=["media · fanout · notify · bulk · video · webhooks · purge · janitor"],
        paths="workers/jobs",
    ),
)
ARROWS = (
    Arrow(points=[(165, 76), (165, 148)], label="HTTP", at=(192, 116)),
    Arrow(points=[(475, 76), (475, 148)], label="WebSocket, SSE", at=(532, 116)),
    Arrow(points=[(120, 226), (120, 312)], label="one transaction", at=(178, 274)),
    Arrow(points=[(270, 226), (395, 312)], label="pages, quotas", at=(376, 258)),
    Arrow(points=[(490, 314), (490, 228)], label="pub/sub, a message for each process", at=(610, 274)),
    Arrow(points=[(145, 384), (145, 472)], label="wake-up, rows", at=(195, 434)),
    Arrow(points=[(250, 512), (348, 512)], label="events", at=(298, 504)),
    Arrow(points=[(475, 474), (475, 386)], label="insert and publish", at=(538, 434)),
    Arrow(points=[(775, 474), (775, 386)], label="read, write", at=(814, 434)),
    Arrow(points=[(870, 512), (905, 512), (905, 78)], label="POST", at=(884, 274)),
)


def picture() -> str:
    """Return the picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '<title id="title">The parts of PicShare and how data move between them</title>',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 10 5 0 10z"/></marker></defs>',
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="12"/>',
    ]
    for arrow in ARROWS:
        way = " ".join(f"{x},{y}" for x, y in arrow.points)
        parts.append(f'<polyline class="arrow" points="{way}"/>')
        parts.append(_text("label", *arrow.at, arrow.label))
    for box in BOXES:
        parts.append(
            f'<rect class="{box.kind}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'
        )
        parts += _texts(box)
    parts.append(
        _text(
            "label",
            WIDTH // 2,
            HEIGHT - 18,
            "One process can be all of these. Then workers read the outbox themselves.",
        )
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _texts(box: Box) -> Iterator[str]:
    texts = [("name", box.name), *(("", line) for line in box.lines), *([("path", box.paths)] if box.paths else [])]
    middle = box.y + box.height / 2 - (len(texts) - 1) * (_LINE + 2) / 2 + 5
    for number, (kind, text) in enumerate(texts):
        yield _text(kind, box.x + box.width // 2, round(middle + number * (_LINE + 2)), text)


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


if __name__ == "__main__":
    sys.stdout.write(picture())
