"""Write the dashboards as JSON files next to this program, for Grafana to import or to provision."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.dashboards import DASHBOARDS
from deploy.grafana.panels import Dashboard

FOLDER = Path(__file__).parent


def file_of(dashboard: Dashboard) -> Path:
    """Return the file of a dashboard."""
    return FOLDER / f"{dashboard.name}.json"


def json_of(dashboard: Dashboard) -> str:
    """Return the JSON of a dashboard."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


if __name__ == "__main__":
    for each in DASHBOARDS:
        file_of(each).write_text(json_of(each))
