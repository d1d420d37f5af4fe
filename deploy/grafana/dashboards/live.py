"""The dashboard "live": live connections, and how soon events reach them."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_FAULT, AFTER_LONGER_TIME, AFTER_SUCH_REQUESTS, Dashboard, Panel, quantile, rate

LIVE = Dashboard(
    name="live",
    title="live",
    description="Live connections, and how soon events reach them.",
    rows={
        "Connections": [
            Panel(title="Connections", queries={"{{instance}}": "sum by (instance) (picshare_live_connections)"}),
            Panel(
                title="Messages to clients",
                queries={"{{instance}}": rate("picshare_live_messages_total", "instance")},
                unit="ops",
            ),
            Panel(
                title="Ended connections, by close code",
                queries={"{{code}}": rate("picshare_live_closes_total", "code")},
                unit="ops",
                empty=AFTER_SUCH_REQUESTS,
            ),
        ],
        "Stages of events": [
            Panel(
                title="From the commit to each stage, 95 % (photos)",
                queries={"{{stage}}": quantile(0.95, "picshare_event_stage_seconds", "stage", 'queue="fanout"')},
                unit="s",
                description="Each stage is measured from the commit; the difference of two is the time between them.",
            ),
            Panel(
                title="From the commit to each stage, 95 % (notifications)",
                queries={"{{stage}}": quantile(0.95, "picshare_event_stage_seconds", "stage", 'queue="notify"')},
                unit="s",
            ),
            Panel(
                title="From the commit to the sockets, by queue, 99 %",
                queries={"{{queue}}": quantile(0.99, "picshare_event_stage_seconds", "queue", 'stage="socket"')},
                unit="s",
            ),
        ],
        "Faults": [
            Panel(
                title="Streams read again after a loss",
                queries={"{{outcome}}": rate("picshare_live_recoveries_total", "outcome")},
                unit="ops",
                empty=AFTER_FAULT,
            ),
            Panel(
                title="Unsent bytes of slow clients, 95 %",
                queries={"bytes": quantile(0.95, "picshare_live_slow_bytes", "")},
                unit="bytes",
                empty=AFTER_FAULT,
            ),
            Panel(
                title="Dead live processes",
                queries={"{{instance}}": "sum by (instance) (picshare_live_processes_expired_total)"},
            ),
            Panel(
                title="Users online and offline",
                queries={"{{change}}": rate("picshare_live_presence_changes_total", "change")},
                unit="ops",
            ),
            Panel(
                title="Full garbage collections, longest",
                queries={"seconds": quantile(1, "picshare_full_collection_seconds", "")},
                unit="s",
                empty=AFTER_LONGER_TIME,
            ),
            Panel(
                title="Stages before their commit (clocks)",
                queries={"{{instance}}": rate("picshare_event_clock_errors_total", "instance")},
                unit="ops",
            ),
        ],
    },
)
