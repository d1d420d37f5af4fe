"""The dashboards of Grafana: committed as their program builds them, with queries that Prometheus accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.grafana.build import FOLDER, file_of, json_of
from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.panels import RATE, Dashboard
from tests.support.documents import codes_in, table_rows
from tests.support.prometheus_tools import known_names, names_in, run_tool

pytestmark = pytest.mark.engines


def queries() -> Iterator[str]:
    """Yield the query of each target of each panel, from the committed files."""
    for dashboard in DASHBOARDS:
        for panel in json.loads(file_of(dashboard).read_text())["panels"]:
            yield from (target["expr"] for target in panel.get("targets", ()))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda item: item.name)
def test_the_files_are_what_the_program_builds(dashboard: Dashboard) -> None:
    """Nothing is changed by hand; `python -m deploy.grafana.build` writes the files."""
    assert file_of(dashboard).read_text() == json_of(dashboard)


def test_no_other_file_is_there() -> None:
    """A dashboard that was removed leaves no file."""
    assert {file.name for file in FOLDER.glob("*.json")} == {f"{each.name}.json" for each in DASHBOARDS}


def test_panels_do_not_overlap() -> None:
    """Each place of a dashboard has one panel at most."""
    for dashboard in DASHBOARDS:
        places = [
            (x, y)
            for panel in json.loads(file_of(dashboard).read_text())["panels"]
            for x in range(panel["gridPos"].get("x", 0), panel["gridPos"].get("x", 0) + panel["gridPos"]["w"])
            for y in range(panel["gridPos"].get("y", 0), panel["gridPos"].get("y", 0) + panel["gridPos"]["h"])
        ]
        assert len(places) == len(set(places)), dashboard.name
        assert max(x for x, _ in places) < 24


def test_prometheus_accepts_each_query(tmp_path: Path) -> None:
    """Each is valid as the expression of a rule."""
    rules = [{"record": f"query:{number}", "expr": query.replace(RATE, "5m")} for number, query in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    checked = run_tool("promtool", "check", "rules", "--lint=none", str(file))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert len(rules) > 80


def test_each_metric_exists() -> None:
    """Each metric of a query is one of PicShare's processes, or is recorded by the rules."""
    assert names_in("\n".join(queries())) - known_names() == set()


def test_the_operator_s_guide_lists_every_dashboard() -> None:
    """The table has each file, and no other."""
    listed = [codes_in(row[0])[0] for row in table_rows("docs/monitoring.md", "Dashboards")]
    assert listed == [f"deploy/grafana/{each.name}.json" for each in DASHBOARDS]
