"""Panels and dashboards in a small form of our own, and their building with Grafana's SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import DataSourceRef

RATE = "$__rate_interval"  # Grafana replaces it by four times the scrape interval, or more in a wide view
# Why a panel has no data, for `Panel.empty`.
AFTER_FAULT = "only after a fault"
AFTER_SUCH_REQUESTS = "only after such requests"
AFTER_LONGER_TIME = "only after a longer time"
WITH_IMAGE_CACHE = "only with a cache of images"
WITH_REPLICAS = "only with replicas"

_SOURCE = "datasource"  # the name of the variable with which the reader chooses a Prometheus
_WIDTH, _HEIGHT = 8, 8  # of a panel, of 24 columns

Build = timeseries.Panel | stat.Panel


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel: its queries by their legends, and the unit of their values as Grafana names it.

    `empty` says why it has no data where nothing has happened yet; without it, data are expected after a little load.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    description: str = ""
    number: bool = False  # the newest value in large digits, in place of a graph
    empty: str = ""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A dashboard: its name in file names and URLs, its title, and its rows of panels."""

    name: str
    title: str
    description: str
    rows: Mapping[str, Sequence[Panel]]

    def panels(self) -> Iterator[Panel]:
        """Yield all panels."""
        for panels in self.rows.values():
            yield from panels

    def build(self) -> Model:
        """Return the dashboard in Grafana's model."""
        builder = (
            dashboard.Dashboard(f"PicShare: {self.title}")
            .uid(f"picshare-{self.name}")
            .description(self.description)
            .tags(["picshare"])
            .refresh("30s")
            .time("now-3h", "now")
            .with_variable(dashboard.DatasourceVariable(_SOURCE).label("Prometheus").type("prometheus"))
        )
        for title, panels in self.rows.items():
            builder = builder.with_row(dashboard.Row(title))
            for panel in panels:
                builder = builder.with_panel(_built(panel))
        return builder.build()


def quantile(q: float, metric: str, by: str, labels: str = "") -> str:
    """Return the query of a quantile of a histogram, by labels."""
    selector = f"{{{labels}}}" if labels else ""
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({q}, sum by ({grouped}) (rate({metric}_bucket{selector}[{RATE}])))"


def rate(metric: str, by: str = "", labels: str = "") -> str:
    """Return the query of the rate of a counter a second, by labels."""
    selector = f"{{{labels}}}" if labels else ""
    grouping = f" by ({by})" if by else ""
    return f"sum{grouping} (rate({metric}{selector}[{RATE}]))"


def _built(panel: Panel) -> Build:
    builder: Build = stat.Panel() if panel.number else timeseries.Panel()
    source = DataSourceRef(type_val="prometheus", uid=f"${{{_SOURCE}}}")
    builder = builder.title(panel.title).unit(panel.unit).datasource(source).span(_WIDTH).height(_HEIGHT)
    if panel.description:
        builder = builder.description(panel.description)
    if isinstance(builder, timeseries.Panel):
        builder = builder.min(0).fill_opacity(10)
    for number, (legend, query) in enumerate(panel.queries.items()):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
        builder = builder.with_target(target)
    return builder
