"""The picture of a plan: the busy cores of each role and engine, and what they do, as SVG."""

from __future__ import annotations

from html import escape

from server.planning.plan import Plan

_WIDTH, _LABEL, _AFTER = 900, 130, 220  # pixels: the picture, the names before the bars, the numbers after them
_BAR, _GAP, _TOP = 22, 10, 70
_COLOURS = (
    *("#0969da", "#bf3989", "#1a7f37", "#9a6700", "#8250df", "#cf222e", "#0550ae", "#57606a"),
    *("#6639ba", "#bc4c00", "#116329", "#953800", "#a40e26", "#24292f"),
)
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:16px}.u{fill:#59636e}"
    "@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.u{fill:#9198a1}}"
)


def picture_of(plan: Plan) -> str:
    """Return the SVG document: a bar for each component, divided by the kinds of work."""
    sizes = sorted(plan.sizes, key=lambda size: -size.busy)
    works = sorted(plan.works, key=lambda work: -work.milliseconds)
    colours = {work.unit: _COLOURS[place % len(_COLOURS)] for place, work in enumerate(works)}
    scale = (_WIDTH - _LABEL - _AFTER) / max(size.busy for size in sizes)
    title = f"{plan.load.daily_users:,.0f} users a day: busy cores at the peak"
    parts = [_text(0, 20, title, "t"), _text(0, 44, f"{plan.milliseconds:.1f} core-ms a user and day", "u")]
    y = float(_TOP)
    for size in sizes:
        parts.append(_text(_LABEL - 10, y + 16, size.component, anchor="end"))
        x = float(_LABEL)
        for work in works:
            width = work.cores.get(size.component, 0.0) * scale
            if width:
                shape = f'x="{x:.1f}" y="{y:g}" width="{width:.2f}" height="{_BAR}" fill="{colours[work.unit]}"'
                parts.append(f"<rect {shape}><title>{escape(work.name)}</title></rect>")
                x += width
        parts.append(_text(x + 8, y + 16, f"{size.busy:.1f} of {size.cores:,}, {size.machines:,} machines", "u"))
        y += _BAR + _GAP
    shown = [work for work in works if work.milliseconds * 200 > plan.milliseconds]
    y += _GAP
    for place, work in enumerate(shown):
        column, row = place % 3, place // 3
        left, top = column * _WIDTH / 3, y + row * 22
        parts.append(f'<rect x="{left:g}" y="{top:g}" width="12" height="12" fill="{colours[work.unit]}"/>')
        parts.append(_text(left + 18, top + 11, f"{work.name}: {work.milliseconds:.2f} ms"))
    height = y + 22 * -(-len(shown) // 3) + 8
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
