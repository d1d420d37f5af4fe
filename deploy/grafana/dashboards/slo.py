"""The dashboard "objectives": the service level objectives of docs/slo.md."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_FAULT, RATE, Dashboard, Panel, quantile

SLOS = Dashboard(
    name="slo",
    title="objectives",
    description="The service level objectives of docs/slo.md.",
    rows={
        "Error budgets": [
            Panel(
                title="Left of the budgets of 30 days",
                queries={"{{slo}}": "picshare:slo_budget_left:30d"},
                unit="percentunit",
                number=True,
            ),
            Panel(
                title="How fast they burn (1: as fast as they may)",
                queries={f"{{{{slo}}}} {window}": f"picshare:slo_burn:{window}" for window in ("5m", "1h", "6h", "3d")},
            ),
            Panel(
                title="Bad requests",
                queries={"{{slo}}": "picshare:slo_bad:rate5m / picshare:slo_total:rate5m"},
                unit="percentunit",
            ),
        ],
        "Causes": [
            Panel(
                title="Errors, by route and status",
                queries={
                    "{{method}} {{route}} {{status}}": (
                        f"topk(10, sum by (method, route, status) "
                        f'(rate(picshare_http_requests_total{{status=~"5.."}}[{RATE}])))'
                    )
                },
                unit="reqps",
                empty=AFTER_FAULT,
            ),
            Panel(
                title="The slowest routes, 95 %",
                queries={
                    "{{method}} {{route}}": "topk(10, "
                    + quantile(0.95, "picshare_http_request_seconds", "method, route", 'route!~"/connection/.*"')
                    + ")"
                },
                unit="s",
            ),
            Panel(
                title="Home feed and uploads, 95 %",
                queries={
                    "feed": quantile(0.95, "picshare_http_request_seconds", "", 'method="GET",route="/api/v1/feed"'),
                    "upload": quantile(
                        0.95, "picshare_http_request_seconds", "", 'method="POST",route="/api/v1/photos"'
                    ),
                },
                unit="s",
            ),
        ],
    },
)
