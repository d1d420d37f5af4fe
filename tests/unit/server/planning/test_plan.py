"""The model of `picshare plan`: proportions, bounds, what one machine less does, and files that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from server.planning.load import Load, LoadError, read_load, with_changes
from server.planning.picture import picture_of
from server.planning.plan import differences, make_plan
from server.planning.report import markdown_of, sentences_of, tables_of
from server.planning.unit_costs import SHIPPED, UnitCosts, UnitCostsError, read_unit_costs

COSTS = read_unit_costs()
SIMPLE = UnitCosts(
    costs={"page": {"api": 100.0, "redis": 50.0}, "connect": {"live": 1000.0}},
    sources={"page": "a test", "connect": "a test"},
    measured_at="2026-11-30T00:00:00",
    machine="a machine",
    one_process={"page": 200.0, "connect": 1000.0},
)
QUIET = Load(daily_users=864_000, photos_viewed=100, online_share=0.0, uploads=0.0)

loads = st.builds(
    Load,
    daily_users=st.floats(1e3, 1e8),
    uploads=st.floats(0, 2),
    photos_viewed=st.floats(0, 500),
    likes=st.floats(0, 50),
    follows=st.floats(0, 5),
    online_share=st.floats(0.01, 0.5),
)


def test_a_plan_by_hand() -> None:
    """864,000 users with 5 pages each are 150 pages a second at the peak: 0.015 cores of the API at 100 µs."""
    plan = make_plan(QUIET, SIMPLE)
    (page,) = [work for work in plan.works if work.unit == "page"]
    assert (page.each, page.peak) == (5.0, 150.0)
    assert page.cores == {"api": pytest.approx(0.015), "redis": pytest.approx(0.0075)}
    assert page.milliseconds == pytest.approx(0.75)
    assert plan.milliseconds == pytest.approx(0.75)


@settings(max_examples=60, deadline=None)
@given(load=loads)
def test_twice_the_users_are_twice_the_work(load: Load) -> None:
    """Twice as many users need twice the cores, memory, disks and bandwidth; a user costs the same."""
    once = make_plan(load, COSTS)
    twice = make_plan(with_changes(load, {"daily_users": load.daily_users * 2}), COSTS)
    assert twice.busy == pytest.approx(2 * once.busy)
    assert twice.milliseconds == pytest.approx(once.milliseconds)
    assert [amount.value for amount in twice.footprint.amounts] == pytest.approx(
        [2 * amount.value for amount in once.footprint.amounts]
    )
    for component, more in {size.component: size for size in twice.sizes}.items():
        fewer = next(size for size in once.sizes if size.component == component)
        assert fewer.machines <= more.machines <= 2 * fewer.machines


@settings(max_examples=60, deadline=None)
@given(load=loads)
def test_what_is_bought_suffices(load: Load) -> None:
    """The cores that are bought are busy to the wanted share at most, also in a storm to all of them at most."""
    for size in make_plan(load, COSTS).sizes:
        assert size.busy <= size.cores * load.target_use + 1e-9
        assert size.busy + size.storm <= size.cores + 1e-9
        assert size.cores <= size.machines * load.machine_cores
        assert size.gigabytes <= size.machines * load.machine_gigabytes + 1e-9


def test_prices_and_large_accounts() -> None:
    """With prices the month costs something; an account with many followers has a long fan-out."""
    plan = make_plan(with_changes(Load(), {"core_month": 10, "egress_gigabyte": 0.01}), COSTS)
    left = 50e6 * 50 * 120e3 * 30 / 1e9 * 0.01
    assert plan.price == pytest.approx(plan.cores * 10 + left)
    assert make_plan(Load(), COSTS).price == 0
    assert plan.greatest_fanout == pytest.approx(20_000 * 7.5e-6)
    assert any(sentence.startswith(f"{plan.price:,.0f} a month") for sentence in sentences_of(plan))


def test_the_configuration_follows() -> None:
    """A large plan asks for a pooler, Citus, a cluster of Redis and many open files; a small one for none of them."""
    large, small = (make_plan(Load(daily_users=users), COSTS).configuration for users in (50e6, 5e4))
    assert "pooler" in large["PostgreSQL"]
    assert "Citus" in large["shards of PostgreSQL"]
    assert large["Redis"].startswith("a cluster of ")
    assert large["LimitNOFILE of live"].startswith("at least 51,000")
    assert small["PostgreSQL"].startswith("max_connections at least")
    assert "shards of PostgreSQL" not in small
    assert small["Redis"] == "one with a replica"


def test_two_of_everything() -> None:
    """Even a small load has two of each role, and three of RabbitMQ, so that one may be lost."""
    sizes = {size.component: size for size in make_plan(Load(daily_users=1000), COSTS).sizes}
    assert {name: size.processes for name, size in sizes.items() if name in ("api", "live", "rabbitmq")} == {
        "api": 2,
        "live": 2,
        "rabbitmq": 3,
    }
    assert all(size.verdict == "bears it" and size.limit == "redundancy" for size in sizes.values())


def test_one_machine_less() -> None:
    """The use without one machine says whether the others bear the peak."""
    load = with_changes(Load(), {"machine_cores": 4, "target_use": 0.95})
    media = next(size for size in make_plan(load, COSTS).sizes if size.component == "media")
    assert media.less == pytest.approx(media.busy / ((media.machines - 1) * 4))
    full = next(size for size in make_plan(with_changes(load, {"daily_users": 5e8}), COSTS).sizes)
    assert full.less < 1


def test_regions_carry_each_others_load() -> None:
    """With two regions each has to carry all of it."""
    one, two = (make_plan(with_changes(Load(), {"regions": number}), COSTS) for number in (1, 2))
    assert two.busy == one.busy
    assert two.cores == pytest.approx(2 * one.cores, rel=0.05)


def test_a_storm_sizes_the_live_processes() -> None:
    """A storm that needs more than the headroom asks for more processes."""
    calm, storm = (
        next(
            size
            for size in make_plan(with_changes(Load(), {"storm_seconds": seconds}), SIMPLE).sizes
            if size.component == "live"
        )
        for seconds in (3600, 10)
    )
    assert storm.cores > calm.cores
    assert storm.storm == pytest.approx(5_000_000 * 0.2 / 10 * 1000 / 1e6)


def test_a_measurement_scales_the_figures() -> None:
    """Each measured unit is scaled by its own ratio, all others by the median of the ratios."""
    scaled = SIMPLE.measured_again({"page": 100.0, "connect": 500.0}, measured_at="now", machine="here")
    assert scaled.of("page") == {"api": 50.0, "redis": 25.0}
    assert scaled.of("connect") == {"live": 500.0}
    partly = SIMPLE.measured_again({"page": 100.0}, measured_at="now", machine="here")
    assert partly.of("connect") == {"live": 500.0}
    assert partly.sources["connect"] == "a test, × 0.50"


def test_the_picture_and_the_document() -> None:
    """The picture is well-formed and names each component; the document can be compared with a later plan."""
    plan = make_plan(Load(), COSTS)
    words = "".join(ElementTree.fromstring(picture_of(plan)).itertext())
    assert all(size.component in words for size in plan.sizes)
    document = json.loads(json.dumps(plan.document()))
    later = make_plan(with_changes(Load(), {"daily_users": 25e6}), COSTS)
    name, before, now = differences(later, document)[-1]
    assert name == "all"
    assert [before, now] == pytest.approx([plan.busy, plan.busy / 2])


def test_every_number_has_a_formula_and_a_source() -> None:
    """No row of the work or of the amounts lacks where it comes from."""
    plan = make_plan(Load(likes=5, comments=1, follows=1), COSTS)
    assert all(work.formula and work.source and work.cost for work in plan.works)
    assert all(amount.formula for amount in plan.footprint.amounts)
    assert len(plan.works) == 14
    assert len({len(table.rows[0]) == len(table.headings) for table in tables_of(plan)}) == 1
    assert any("biggest part" in sentence for sentence in sentences_of(plan))
    assert markdown_of(plan).count("\n| ---") == len(tables_of(plan))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("uploads = 'many'", "uploads must be a number"),
        ("online_share = 2", "online_share must be a number from 0 to 1"),
        ("dayly_users = 5", "no value 'dayly_users'"),
        ("regions = true", "regions must be a number"),
        ("uploads = nan", "uploads must be a number"),
        ("uploads", "cannot be read"),
    ],
)
def test_loads_that_cannot_be_used(tmp_path: Path, text: str, complaint: str) -> None:
    """A load with an unknown name, another type or a value out of bounds is refused in one sentence."""
    file = tmp_path / "load.toml"
    file.write_text(text)
    with pytest.raises(LoadError, match=complaint):
        read_load(file)


def test_a_load_from_a_file(tmp_path: Path) -> None:
    """Values of the file replace the defaults."""
    file = tmp_path / "load.toml"
    file.write_text("daily_users = 2e6\nlikes = 5\n")
    assert read_load(file) == Load(daily_users=2e6, likes=5.0)


@pytest.mark.parametrize("text", ["", "{}", '{"figures": [], "measured_at": "now", "machine": {"processor": "x"}}'])
def test_figures_that_cannot_be_used(tmp_path: Path, text: str) -> None:
    """A file without unit costs is refused."""
    file = tmp_path / "units.json"
    file.write_text(text)
    with pytest.raises(UnitCostsError, match="python -m bench units"):
        read_unit_costs(file)


def test_the_shipped_figures_are_complete() -> None:
    """All units of the model are there, with the date and the machine."""
    assert SHIPPED.exists()
    assert COSTS.machine
    assert COSTS.measured_at.startswith("2026-")
    units = {work.unit for work in make_plan(Load(likes=1, comments=1, follows=1), COSTS).works}
    assert units <= set(COSTS.costs)
    assert set(COSTS.one_process) <= units
