"""The result: findings, table, JSON, picture and progress."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from rich.console import Console

from loadtest.errors import LoadTestError
from loadtest.measures.record import Phase, Record
from loadtest.plan import Plan
from loadtest.profiles import PROFILES, ProfileName
from loadtest.report import output, scales
from loadtest.report.document import document_of
from loadtest.report.findings import Severity
from loadtest.report.picture import picture_of, write_picture
from loadtest.report.progress import line_of
from loadtest.report.scales import LinearScale, LogScale
from loadtest.report.summary import Summary
from loadtest.report.table import show
from tests.unit.loadtest.summaries import make_summary

SVG = "{http://www.w3.org/2000/svg}"


def sentences(summary: Summary, severity: Severity) -> str:
    """Return the findings of a severity."""
    return " ".join(finding.sentence for finding in summary.findings if finding.severity is severity)


def words(picture: str) -> list[str]:
    """Return every text of a picture; fail if it is not well-formed."""
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - our own


def table(summary: Summary) -> str:
    """Return the printed table."""
    console = Console(file=io.StringIO(), width=120)
    show(summary, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_good_result_is_one_line() -> None:
    """Two processes, ten seconds, 80 deliveries of each kind a second: 1,600 and no findings."""
    summary = make_summary()
    assert summary.well
    assert summary.findings == ()
    assert "1,600 deliveries: none lost, none duplicated, none out of order." in table(summary)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"lost like": 3, "late like": 1}, "Lost: 3 of 800 deliveries of likes (1 arrived too late)."),
        ({"duplicate photo": 1, "repeated": 1}, "Duplicated deliveries: 2."),
        ({"disorder": 2}, "Publications out of order: 2 "),
        ({"missing": 4}, "Disconnected at the end: 4 of 100 sockets that were connected."),
        ({"connected": -1}, "Never connected: 1 of 100 sockets."),
    ],
)
def test_a_broken_guarantee_is_bad(counts: dict[str, int], sentence: str) -> None:
    """Losses, repeats, disorder and failed sockets make the result bad, in text and in the picture."""
    summary = make_summary(counts=counts)
    assert not summary.well
    assert sentence in sentences(summary, Severity.BAD)
    assert sentence in re.sub(r"\s+", " ", table(summary))
    assert "none lost" not in table(summary)
    assert any(text.startswith(sentence[:20]) for text in words(picture_of(summary)))
    assert 'class="figure bad"' in picture_of(summary)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"limited likes": 7}, "7 requests, by the service's limit likes. Raise limits.likes"),
        ({"limited unknown": 7}, "7 requests, by a rate limit in front of the service"),
        ({"gave up": 2}, "Not reconnected: 2 sockets"),
        ({"unrecovered": 2}, "Not recovered: 2 streams"),
        ({"held back like": 4}, "Held back: 4 likes"),
        ({"unanswered photo": 4}, "4 photos; their deliveries are not judged"),
        ({"unfinished photo": 4}, "4 deliveries of photos that the service was still processing"),
        ({"unjudged like": 4}, "4 deliveries of likes to sockets that were disconnected"),
    ],
)
def test_a_limited_meaning_is_a_warning(counts: dict[str, int], sentence: str) -> None:
    """It is reported, and the result is still good."""
    summary = make_summary(counts=counts)
    assert summary.well
    assert sentence in sentences(summary, Severity.WARNING)


@pytest.mark.parametrize(
    ("cpu", "lag", "sentence"),
    [
        (0.85, 0.001, "The tester was busy: latencies are upper bounds. The busiest tester process used 85% of a core"),
        (0.10, 0.030, "The tester had to wait for a processor: latencies are upper bounds."),
        (0.79, 0.019, ""),
    ],
)
def test_a_busy_tester_is_a_warning(cpu: float, lag: float, sentence: str) -> None:
    """From 80 % of a core or 20 ms of delay on, with the figures; less is no warning."""
    findings = sentences(make_summary(cpu=cpu, lag=lag), Severity.WARNING)
    assert findings.startswith(sentence)
    assert bool(findings) == bool(sentence)
    if sentence:
        assert f"the event loops was {lag * 1000:.0f} ms at p99" in findings


def test_the_table_has_every_figure() -> None:
    """Percentiles, deliveries, sockets, close codes and the tester's own load are in the table."""
    text = table(make_summary(counts={"cut": 100, "reconnected": 100, "recovered": 199, "unrecovered": 1}))
    for part in ("like → owner's sockets", "photo → followers' sockets", "p99.9", "199 of 200", "30% of a core"):
        assert part in text


def test_the_json_has_every_figure() -> None:
    """The document has the same figures, and the ends of the owed deliveries add up."""
    document = orjson.loads(orjson.dumps(document_of(make_summary(counts={"lost like": 2, "expected like": 2}))))
    assert (document["form"], document["well"], document["lost"]) == (1, False, 2)
    like = document["deliveries"]["like"]
    ends = ("delivered", "lost", "told_gaps", "unjudged", "unfinished")
    assert sum(like[name] for name in ends) == like["expected"] == 802
    assert like["latency"]["p50"] == pytest.approx(7, rel=0.2)
    assert [item["second"] for item in document["timeline"]] == [float(second) for second in range(10)]
    assert sum(count for _, _, count in document["histograms"]["like"]) == 800
    assert document["plan"]["profile"] == "storm"


@pytest.mark.parametrize("profile", list(ProfileName))
def test_the_picture_is_self_contained(profile: ProfileName) -> None:
    """Well-formed, with a title, colours for light and dark, axes with units, and no external resources."""
    picture = picture_of(make_summary(profile, counts={"cut": 100}))
    texts = words(picture)
    assert texts[0] == f"PicShare load test: {profile.value}"
    assert "prefers-color-scheme: dark" in picture
    assert not re.search(r"href|<image|<script|@import|url\(", picture)
    assert {"10 ms", "5 s", "50 %", "99 %", "Sockets connected"} <= set(texts)
    assert any("photos.example.com" in text for text in texts)
    assert len(picture) < 60_000


def test_arguments_are_escaped() -> None:
    """An address with markup in it is shown as text."""
    picture = picture_of(make_summary(url="https://x/<script>&"))
    assert any("https://x/<script>&" in text for text in words(picture))


def test_a_picture_without_measurements_is_valid() -> None:
    """A test that was stopped early still gives a picture, not an error."""
    texts = words(picture_of(make_summary(ProfileName.IDLE, seconds=0, counts={})))
    assert "0 of 100" in texts


def test_files_are_checked_before_the_test(tmp_path: Path) -> None:
    """A file that cannot be written is refused at once, not after an hour of testing."""
    output.check_files(tmp_path / "new.json", None)
    for path in (tmp_path / "none" / "x.json", tmp_path):
        with pytest.raises(LoadTestError, match="cannot be written"):
            output.check_files(path)


def test_results_are_written(tmp_path: Path) -> None:
    """Table, JSON and picture are written for one result."""
    console = Console(file=io.StringIO())
    output.write_results(make_summary(), console, json=tmp_path / "o.json", picture=tmp_path / "o.svg")
    assert orjson.loads((tmp_path / "o.json").read_bytes())["well"] is True
    assert words((tmp_path / "o.svg").read_text())
    with pytest.raises(LoadTestError, match="cannot be written"):
        write_picture(make_summary(), tmp_path)


def test_progress_without_a_terminal_is_a_line() -> None:
    """It contains the phase, its progress, and what is being waited for."""
    record = Record(time.monotonic())
    plan = Plan(
        url="http://x",
        live=("ws://x",),
        profile_name=ProfileName.LIKES,
        profile=PROFILES[ProfileName.LIKES],
        users=5,
    )
    report = {"second": 0.0, "measures": {"counts": {"acts like": 1, "delivered like": 9}, "closes": {}, "errors": {},
            "durations": {}}, "connected": 7, "busy": 0.1, "passed": 1.0, "done": 3, "steps": 12,
            "notice": "PicShare's limit sign_up_address is used up"}  # fmt: skip
    record.add_report(0, report)
    assert line_of(plan, record) == ("preparing: 3 of 12 steps (5 users), PicShare's limit sign_up_address is used up")
    record.enter(Phase.CONNECT)
    record.add_report(0, {**report, "notice": ""})
    assert line_of(plan, record) == "connecting: 7 of 100 sockets"
    record.enter(Phase.ACT)
    assert "traffic: 0 of 30 s, sockets 7 of 100" in line_of(plan, record)
    assert "likes 18 delivered" in line_of(plan, record)


def test_equal_ratios_are_equal_distances() -> None:
    """On a logarithmic axis of 1 to 1,000 over 300 pixels a factor of ten is 100; values beyond stay at the ends."""
    axis = LogScale(1.0, 1000.0, 0.0, 300.0)
    assert [round(axis(value), 6) for value in (0.1, 1, 10, 100, 1000, 5000)] == [0, 0, 100, 200, 300, 300]
    assert [LinearScale(0.0, 10.0, 100.0, 0.0)(value) for value in (0, 5, 10, 20)] == [100, 50, 0, 0]


@pytest.mark.parametrize(
    ("values", "ends", "ticks"),
    [
        ([6.8, 76], (5, 100), [5, 10, 20, 50, 100]),
        ([3, 4], (2, 20), [2, 5, 10, 20]),  # a factor of ten at least
        ([0.3, 4500], (0.2, 5000), [1, 10, 100, 1000]),  # four decades: powers of ten alone
        ([], (1, 10), [1, 2, 5, 10]),
    ],
)
def test_a_logarithmic_axis_ends_at_round_values(
    values: list[float], ends: tuple[float, float], ticks: list[float]
) -> None:
    """1, 2 or 5 times a power of ten, with ticks that leave room for their labels."""
    low, high = scales.log_range(values)
    assert (low, high) == pytest.approx(ends)
    assert scales.log_ticks(low, high) == pytest.approx(ticks)
    inner = [tick for tick in ticks if low * 1.01 < tick < high * 0.99]
    assert scales.log_ticks(low, high, ends=True) == pytest.approx([low, *inner, high])


def test_ticks_are_round_numbers() -> None:
    """Round numbers, seconds and minutes; the highest value is below the last tick."""
    assert scales.linear_ticks(5000, most=3) == [0, 2000, 4000, 6000]
    assert scales.linear_ticks(16.3, most=4) == [0, 5, 10, 15, 20]
    assert scales.linear_ticks(0, most=3) == [0, 1]
    assert scales.time_ticks(45, most=10) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    assert scales.time_ticks(4000, most=10) == [0, 600, 1200, 1800, 2400, 3000, 3600]
    assert [scales.milliseconds(value) for value in (0.5, 20, 1500)] == ["0.5 ms", "20 ms", "1.5 s"]
    assert [scales.seconds(value) for value in (0, 45, 60, 90, 150, 5400, 9000)] == [
        "0 s", "45 s", "1 min", "90 s", "2 min 30 s", "90 min", "2 h 30 min",
    ]  # fmt: skip
