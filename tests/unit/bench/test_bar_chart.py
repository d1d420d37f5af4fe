"""The chart of a comparison."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.bar_chart import Bar, Group, draw
from bench.report import figure
from bench.sockets.comparison_chart import comparison

SVG = "{http://www.w3.org/2000/svg}"


def bar(label: str, value: float, *, ours: bool = False) -> Bar:
    """Return a bar with a spread of a tenth in both directions."""
    return Bar(label=label, value=value, least=value * 0.9, greatest=value * 1.1, ours=ours)


def drawn(*groups: Group) -> ElementTree.Element:
    """Return the parsed document."""
    return ElementTree.fromstring(draw("Costs & more", "µs", groups))  # noqa: S314 - our own text


def widths(root: ElementTree.Element) -> list[float]:
    """Return the bars' widths."""
    return [float(item.get("width", "")) for item in root.iter(f"{SVG}rect")]


def test_bars_are_as_long_as_their_values() -> None:
    """Twice the value is twice the length, and the greatest spread fits the chart."""
    root = drawn(Group(heading="all", bars=[bar("PicShare", 2.0, ours=True), bar("peer", 4.0)]))
    ours, theirs = widths(root)
    assert abs(theirs - 2 * ours) < 0.2
    right = max(float(line.get("x2", "")) for line in root.iter(f"{SVG}line"))
    assert right <= float(root.get("viewBox", "").split()[2]) - 100


def test_each_group_has_its_own_scale() -> None:
    """A group of small values fills the width like a group of large ones."""
    root = drawn(Group(heading="one", bars=[bar("a", 0.5)]), Group(heading="two", bars=[bar("a", 50.0)]))
    assert len(set(widths(root))) == 1


def test_every_label_is_present_and_within_the_chart() -> None:
    """Title, unit, headings, labels and values are present as text, and none is below the edge."""
    root = drawn(Group(heading="5,000 <sockets>", bars=[bar("nginx & nchan", 3.14159)]))
    texts = [item.text for item in root.iter(f"{SVG}text")]
    assert texts == ["Costs & more", "µs", "5,000 <sockets>", "nginx & nchan", "3.14"]
    height = float(root.get("viewBox", "").split()[3])
    assert all(float(item.get("y", "")) < height for item in root.iter(f"{SVG}text"))


def test_it_is_readable_on_light_and_dark_pages() -> None:
    """Colours follow the reader's colour scheme, and no background is painted."""
    text = draw("t", "µs", [Group(heading="h", bars=[bar("a", 1.0)])])
    assert "prefers-color-scheme:dark" in text
    assert text.count("<rect") == 1


def test_the_comparison_shows_costs_and_no_ratios() -> None:
    """Of a run's figures each server's cost is drawn, by group, with PicShare's highlighted."""
    group = "one message at a time, 1,000 sockets"
    text = comparison(
        [
            figure(group, "PicShare", "µs", [2.0]),
            figure(group, "nginx + nchan", "µs", [3.0]),
            figure(group, "PicShare : nginx + nchan", "×", [0.66]),
            figure("photo to 5,000 followers online", "worker", "µs", [9.0]),
        ]
    )
    assert text is not None
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    assert [item.get("class") for item in root.iter(f"{SVG}rect")] == ["ours", "theirs"]
    assert group in [item.text for item in root.iter(f"{SVG}text")]


def test_without_costs_there_is_no_chart() -> None:
    """A run that did not compare draws nothing."""
    assert comparison([figure("event loop", "longest stall", "ms", [3.0])]) is None
