"""The dashboards: what an operator looks at, by part of PicShare. docs/metrics.md describes each metric."""

from __future__ import annotations

from deploy.grafana.dashboards.engines import ENGINES
from deploy.grafana.dashboards.feeds import FEEDS
from deploy.grafana.dashboards.live import LIVE
from deploy.grafana.dashboards.media import MEDIA
from deploy.grafana.dashboards.queues import QUEUES
from deploy.grafana.dashboards.slo import SLOS

DASHBOARDS = (LIVE, FEEDS, MEDIA, QUEUES, ENGINES, SLOS)
