"""The shipped configuration of Prometheus and Alertmanager: checked by their own tools, with samples for each alert."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from server.composition.roles import WORKER_ROLES
from tests.engines.mtail import SHIPPED
from tests.integration.deploy.alert_cases import CASES, SLOW_CASES
from tests.integration.deploy.alert_cases.case import Case
from tests.support.documents import ROOT, codes_in, table_rows
from tests.support.prometheus_tools import (
    PROMETHEUS,
    RULES,
    SLO_RULES,
    groups,
    known_names,
    names_in,
    recorded_names,
    run_tool,
)

pytestmark = pytest.mark.engines

_ALERT = re.compile(r"- alert: (\w+)")
_SEVERITY = re.compile(r"- alert: (\w+)\n(?:(?!- alert)(?:.|\n))*?labels: \{severity: (page|ticket)\}")


def promtool_test(case: Case, name: str, *, interval: str) -> dict[str, object]:
    """Return the unit test of one case in promtool's form."""
    series, at, alert, labels = case
    firing = f'sum without (severity) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    expected = {"alertname": alert, "alertstate": "firing", **(labels or {})}
    sample = "{" + ",".join(f'{key}="{value}"' for key, value in expected.items()) + "}"
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": series_name, "values": values} for series_name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": firing,
                "eval_time": at,
                "exp_samples": [] if labels is None else [{"labels": sample, "value": 1}],
            }
        ],
    }


def written_tests(folder: Path, cases: Mapping[str, Case], *, interval: str) -> list[str]:
    """Write the unit tests of cases in promtool's form, in a file for each group of rules; return the files."""
    # Every test evaluates all rules of its file at each step, which takes long with rules that it does not need.
    slo = SLO_RULES.read_text()
    files = []
    for number, group in enumerate(groups()):
        alerts = _ALERT.findall(group)
        if not alerts:
            continue
        rules = folder / f"rules{number}.yml"
        rules.write_text(slo if alerts[0] in slo else group)
        tests = [promtool_test(case, name, interval=interval) for name, case in cases.items() if case[2] in alerts]
        document = {"rule_files": [str(rules)], "evaluation_interval": interval, "tests": tests}
        files.append(folder / f"test{number}.yml")
        files[-1].write_text(json.dumps(document))  # every JSON document is YAML
    return [str(file) for file in files]


@pytest.mark.parametrize(
    ("cases", "interval"), [(CASES, "1m"), (SLOW_CASES, "5m")], ids=["by the minute", "by five minutes"]
)
def test_alerts_fire_when_they_should(cases: Mapping[str, Case], interval: str, tmp_path: Path) -> None:
    """Prometheus' own tool evaluates the shipped rules over the samples of each case."""
    checked = run_tool("promtool", "test", "rules", *written_tests(tmp_path, cases, interval=interval))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """No alert is shipped untested."""
    alerts = set(_ALERT.findall(RULES.read_text() + SLO_RULES.read_text()))
    cases = [*CASES.values(), *SLOW_CASES.values()]
    for fires in (True, False):
        assert alerts - {alert for _, _, alert, labels in cases if (labels is not None) is fires} == set()


def test_the_configuration_is_valid() -> None:
    """Prometheus and Alertmanager accept the shipped files."""
    for tool, command, file in (
        ("promtool", "config", PROMETHEUS / "prometheus.yml"),
        ("amtool", "", ROOT / "deploy" / "alertmanager" / "alertmanager.yml"),
    ):
        checked = run_tool(tool, *(("check", command) if command else ("check-config",)), str(file))
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_process_is_scraped() -> None:
    """Prometheus has a target for each worker's role, and for each process behind nginx."""
    text = (PROMETHEUS / "prometheus.yml").read_text()
    assert set(re.findall(r"labels: \{role: (\S+)\}", text)) == {"api-read", "api-write", "live", *WORKER_ROLES}
    behind_nginx = re.findall(r"server (127\S+)", (ROOT / "deploy" / "nginx" / "site.conf").read_text())
    assert [address for address in behind_nginx if f'"{address}"' not in text] == []


def test_the_rules_name_metrics_that_exist() -> None:
    """Each metric in the rules is one of PicShare's processes, of the program for mtail, or of a rule."""
    assert names_in(RULES.read_text() + SLO_RULES.read_text()) - known_names() == set()


def test_alertmanager_names_alerts_that_exist() -> None:
    """Routes and inhibitions name alerts of the rules."""
    named = set(re.findall(r"Picshare\w+", (ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text()))
    assert named - set(_ALERT.findall(RULES.read_text() + SLO_RULES.read_text())) == set()


def test_the_guides_list_every_alert() -> None:
    """The tables have each alert with its severity, and each metric of mtail, and no other."""
    for document, heading, file in (
        ("docs/monitoring.md", "Alerts", RULES),
        ("docs/slo.md", "Alerts", SLO_RULES),
    ):
        rows = [(codes_in(row[0])[0], row[1]) for row in table_rows(document, heading)]
        assert rows == _SEVERITY.findall(file.read_text())
        assert [name for name, _ in rows] == _ALERT.findall(file.read_text())
    counters = re.findall(r"^counter (\w+)", (SHIPPED / "picshare-cache.mtail").read_text(), re.MULTILINE)
    assert [codes_in(row[0])[0] for row in table_rows("docs/proxy.md", "The hit rate of the cache")] == counters


def test_the_guide_to_objectives_lists_what_is_recorded() -> None:
    """The table has each recorded series of the objectives, and no other."""
    listed = {name for row in table_rows("docs/slo.md", "Error budgets") for name in codes_in(row[0])}
    assert listed == set(recorded_names([SLO_RULES]))
