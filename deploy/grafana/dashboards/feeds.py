"""The dashboard "requests and feeds": requests by route, the home feeds, searches and sign-ins."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_FAULT, AFTER_LONGER_TIME, AFTER_SUCH_REQUESTS, Dashboard, Panel, quantile, rate

FEEDS = Dashboard(
    name="feeds",
    title="requests and feeds",
    description="Requests by route, the home feeds, searches and sign-ins.",
    rows={
        "Requests": [
            Panel(
                title="Requests", queries={"{{status}}": rate("picshare_http_requests_total", "status")}, unit="reqps"
            ),
            Panel(
                title="Errors of the server, by route",
                queries={
                    "{{method}} {{route}}": rate("picshare_http_requests_total", "method, route", 'status=~"5.."')
                },
                unit="reqps",
                empty=AFTER_FAULT,
            ),
            Panel(
                title="Latency by route, 95 %",
                queries={
                    "{{method}} {{route}}": quantile(
                        0.95, "picshare_http_request_seconds", "method, route", 'route!~"/connection/.*"'
                    )
                },
                unit="s",
            ),
            Panel(
                title="Latency by route, median",
                queries={
                    "{{method}} {{route}}": quantile(
                        0.5, "picshare_http_request_seconds", "method, route", 'route!~"/connection/.*"'
                    )
                },
                unit="s",
            ),
            Panel(
                title="Event loop: delay, 99 %",
                queries={"{{instance}}": quantile(0.99, "picshare_event_loop_lag_seconds", "instance")},
                unit="s",
            ),
            Panel(
                title="Event loop: longest stall of a minute",
                queries={"{{instance}}": "max by (instance) (picshare_event_loop_stall_seconds)"},
                unit="s",
            ),
        ],
        "Feeds": [
            Panel(
                title="Pages of the home feed",
                queries={
                    "pages": rate("picshare_http_request_seconds_count", labels='method="GET",route="/api/v1/feed"')
                },
                unit="reqps",
            ),
            Panel(
                title="Latency of the home feed",
                queries={
                    name: quantile(share, "picshare_http_request_seconds", "", 'method="GET",route="/api/v1/feed"')
                    for name, share in (("median", 0.5), ("95 %", 0.95), ("99 %", 0.99))
                },
                unit="s",
            ),
            Panel(title="Insertions into feeds", queries={"feeds": rate("picshare_feed_insertions_total")}, unit="ops"),
            Panel(
                title="Stars",
                queries={"{{state}}": "max by (state) (picshare_stars)"},
                empty=AFTER_LONGER_TIME,
            ),
            Panel(
                title="Announcements of stars, and pulled photos",
                queries={
                    "announced": rate("picshare_star_announcements_total"),
                    "reads that pulled": rate("picshare_star_pulls_total"),
                    "photos pulled": rate("picshare_star_pulled_photos_total"),
                },
                unit="ops",
            ),
            Panel(
                title="Change of a star, 95 %",
                queries={"{{change}}": quantile(0.95, "picshare_star_change_seconds", "change")},
                unit="s",
                empty=AFTER_SUCH_REQUESTS,
            ),
        ],
        "Search, sign-ins, trends": [
            Panel(
                title="Searches in the database, 95 %",
                queries={"{{kind}}": quantile(0.95, "picshare_search_seconds", "kind")},
                unit="s",
                empty=AFTER_SUCH_REQUESTS,
            ),
            Panel(
                title="Searches that were cut off",
                queries={"{{kind}}": rate("picshare_search_partial_total", "kind")},
                unit="ops",
                empty=AFTER_FAULT,
            ),
            Panel(
                title="Sign-ins",
                queries={"{{way}} {{outcome}}": rate("picshare_sign_ins_total", "way, outcome")},
                unit="ops",
            ),
            Panel(
                title="Sign-ins with providers",
                queries={"{{provider}} {{outcome}}": rate("picshare_provider_sign_ins_total", "provider, outcome")},
                unit="ops",
                empty=AFTER_SUCH_REQUESTS,
            ),
            Panel(
                title="Entries of the rankings",
                queries={"{{kind}}": "max by (kind) (picshare_trending_entries)"},
                empty=AFTER_LONGER_TIME,
            ),
            Panel(
                title="Cases, appeals and held photos that wait",
                queries={
                    "cases: {{state}}": "max by (state) (picshare_cases)",
                    "appeals": "max(picshare_appeals_pending)",
                    "held photos": "max(picshare_moderation_held_photos)",
                },
                empty=AFTER_LONGER_TIME,
            ),
        ],
    },
)
