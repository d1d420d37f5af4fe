"""The dashboards: what an operator looks at, by part of PicShare. docs/operation.md describes each metric."""

from __future__ import annotations

from deploy.grafana.panels import RATE, Dashboard, Panel, quantile, rate

_NO_FAULT = "only after a fault"
_NO_REPLICA = "only with replicas"
_NO_CACHE = "only with a cache of images"
_NO_TRAFFIC = "only after such requests"
_LATER = "only after a longer time"

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
                empty=_NO_TRAFFIC,
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
                empty=_NO_FAULT,
            ),
            Panel(
                title="Unsent bytes of slow clients, 95 %",
                queries={"bytes": quantile(0.95, "picshare_live_slow_bytes", "")},
                unit="bytes",
                empty=_NO_FAULT,
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
                empty=_LATER,
            ),
            Panel(
                title="Stages before their commit (clocks)",
                queries={"{{instance}}": rate("picshare_event_clock_errors_total", "instance")},
                unit="ops",
            ),
        ],
    },
)

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
                empty=_NO_FAULT,
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
                empty=_LATER,
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
                empty=_NO_TRAFFIC,
            ),
        ],
        "Search, sign-ins, trends": [
            Panel(
                title="Searches in the database, 95 %",
                queries={"{{kind}}": quantile(0.95, "picshare_search_seconds", "kind")},
                unit="s",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Searches that were cut off",
                queries={"{{kind}}": rate("picshare_search_partial_total", "kind")},
                unit="ops",
                empty=_NO_FAULT,
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
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Entries of the rankings",
                queries={"{{kind}}": "max by (kind) (picshare_trending_entries)"},
                empty=_LATER,
            ),
            Panel(
                title="Cases, appeals and held photos that wait",
                queries={
                    "cases: {{state}}": "max by (state) (picshare_cases)",
                    "appeals": "max(picshare_appeals_pending)",
                    "held photos": "max(picshare_moderation_held_photos)",
                },
                empty=_LATER,
            ),
        ],
    },
)

MEDIA = Dashboard(
    name="media",
    title="media",
    description="Uploads, decoders, variants, the store of images, and caches.",
    rows={
        "Uploads": [
            Panel(
                title="Uploaded bytes",
                queries={"{{way}}": rate("picshare_upload_bytes_total", "way")},
                unit="Bps",
            ),
            Panel(
                title="Transfer of an image, 95 %",
                queries={"{{way}}": quantile(0.95, "picshare_upload_seconds", "way")},
                unit="s",
            ),
            Panel(
                title="Posting a photo, 95 %",
                queries={
                    "request": quantile(
                        0.95, "picshare_http_request_seconds", "", 'method="POST",route="/api/v1/photos"'
                    ),
                    "until it is processed": quantile(0.95, "picshare_event_age_seconds", "", 'queue="media"'),
                },
                unit="s",
            ),
        ],
        "Decoders and variants": [
            Panel(
                title="Decoding, 95 %",
                queries={"{{format}}": quantile(0.95, "picshare_decode_seconds", "format")},
                unit="s",
            ),
            Panel(
                title="Images, by outcome",
                queries={"{{outcome}}": rate("picshare_decode_seconds_count", "outcome")},
                unit="ops",
            ),
            Panel(
                title="Layers of the sandbox",
                queries={"{{layer}}": "min by (layer) (picshare_decoder_sandbox)"},
            ),
            Panel(
                title="Requests for variants, by result",
                queries={"{{result}}": rate("picshare_variant_requests_total", "result")},
                unit="reqps",
            ),
            Panel(
                title="Making a variant on request, 95 %",
                queries={"{{format}}": quantile(0.95, "picshare_variant_encode_seconds", "format")},
                unit="s",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Scans before publication",
                queries={"{{result}}": rate("picshare_scans_total", "result")},
                unit="ops",
                empty=_NO_TRAFFIC,
            ),
        ],
        "Store and caches": [
            Panel(
                title="Calls to the store, 95 %",
                queries={"{{op}}": quantile(0.95, "picshare_blob_op_seconds", "op")},
                unit="s",
            ),
            Panel(
                title="Calls to the store, by outcome",
                queries={"{{outcome}}": rate("picshare_blob_op_seconds_count", "outcome")},
                unit="ops",
            ),
            Panel(
                title="Hit rate of the caches",
                queries={"{{instance}}": "picshare:cache_hit_ratio:rate5m"},
                unit="percentunit",
                empty=_NO_CACHE,
            ),
            Panel(
                title="From hiding an image to its purge, 95 %",
                queries={"{{cache}}": quantile(0.95, "picshare_purge_seconds", "cache")},
                unit="s",
                empty=_NO_CACHE,
            ),
            Panel(
                title="Purges that fail, and overdue ones",
                queries={
                    "failed: {{cache}}": rate("picshare_purge_failures_total", "cache"),
                    "overdue: {{cache}}": rate("picshare_purge_overdue_total", "cache"),
                },
                unit="ops",
                empty=_NO_CACHE,
            ),
            Panel(
                title="Warmed caches",
                queries={"{{cache}} {{result}}": rate("picshare_cache_warmed_total", "cache, result")},
                unit="ops",
                empty=_NO_CACHE,
            ),
        ],
    },
)

QUEUES = Dashboard(
    name="queues",
    title="queues",
    description="The outbox, the queues and their workers, the janitor, and what leaves PicShare.",
    rows={
        "Backlog": [
            Panel(
                title="Waiting jobs",
                queries={"{{queue}}": 'max by (queue) (picshare_queue_depth{queue!~".+[.]dead"})'},
            ),
            Panel(
                title="Dead letters",
                queries={"{{queue}}": 'max by (queue) (picshare_queue_depth{queue=~".+[.]dead"})'},
            ),
            Panel(
                title="Oldest event in the outbox",
                queries={"age": "max(picshare_outbox_age_seconds)"},
                unit="s",
            ),
            Panel(
                title="Queues without a worker",
                queries={"{{queue}}": "max by (queue) (picshare_queue_without_consumer)"},
            ),
            Panel(
                title="Last measurement of the queues, seconds ago",
                queries={"age": "time() - max(picshare_backlog_measured_timestamp_seconds)"},
                unit="s",
                number=True,
            ),
            Panel(
                title="From the commit to the end of the job, 95 %",
                queries={"{{queue}}": quantile(0.95, "picshare_event_age_seconds", "queue")},
                unit="s",
            ),
        ],
        "Jobs": [
            Panel(title="Jobs", queries={"{{queue}}": rate("picshare_jobs_total", "queue")}, unit="ops"),
            Panel(
                title="Attempts that fail, by queue and outcome",
                queries={"{{queue}} {{outcome}}": rate("picshare_jobs_total", "queue, outcome", 'outcome!="done"')},
                unit="ops",
                empty=_NO_FAULT,
            ),
            Panel(
                title="Duration of a job, 95 %",
                queries={"{{queue}}": quantile(0.95, "picshare_job_duration_seconds", "queue")},
                unit="s",
            ),
            Panel(
                title="Waiting for a worker, 95 %",
                queries={"{{queue}}": quantile(0.95, "picshare_event_stage_seconds", "queue", 'stage="claimed"')},
                unit="s",
            ),
            Panel(
                title="Periodic tasks",
                queries={"{{task}} {{outcome}}": rate("picshare_periodic_task_runs_total", "task, outcome")},
                unit="ops",
            ),
            Panel(
                title="Deleted or repaired by the janitor",
                queries={
                    "{{task}}": rate("picshare_periodic_task_items_total", "task"),
                    "counters: {{kind}}": rate("picshare_counters_repaired_total", "kind"),
                },
                unit="ops",
            ),
        ],
        "Leaving PicShare": [
            Panel(
                title="Notifications",
                queries={"{{kind}}": rate("picshare_notifications_total", "kind")},
                unit="ops",
            ),
            Panel(
                title="Mails",
                queries={"{{kind}} {{result}}": rate("picshare_mails_total", "kind, result")},
                unit="ops",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Pushes",
                queries={"{{result}}": rate("picshare_pushes_total", "result")},
                unit="ops",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Due pushes, mails and digests: oldest",
                queries={
                    "deliveries": "max(picshare_delivery_due_age_seconds)",
                    "webhooks": "max(picshare_webhook_due_age_seconds)",
                },
                unit="s",
            ),
            Panel(
                title="Attempts at webhooks",
                queries={"{{outcome}}": rate("picshare_webhook_attempt_seconds_count", "outcome")},
                unit="ops",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Calls to other services, by outcome",
                queries={"{{name}} {{outcome}}": rate("picshare_outbound_requests_total", "name, outcome")},
                unit="ops",
                empty=_NO_TRAFFIC,
            ),
        ],
    },
)

ENGINES = Dashboard(
    name="engines",
    title="processes and engines",
    description="PicShare's processes, and what they see of PostgreSQL, Redis, RabbitMQ and the store of images.",
    rows={
        "Processes": [
            Panel(title="Processes that answer", queries={"{{role}}": 'sum by (role) (up{job="picshare"})'}),
            Panel(
                title="Processor time",
                queries={"{{instance}}": rate("process_cpu_seconds_total", "instance", 'job="picshare"')},
                unit="percentunit",
            ),
            Panel(
                title="Memory",
                queries={"{{instance}}": 'sum by (instance) (process_resident_memory_bytes{job="picshare"})'},
                unit="bytes",
            ),
            Panel(
                title="Open files",
                queries={
                    "{{instance}}": (
                        'max by (instance) (process_open_fds{job="picshare"} / process_max_fds{job="picshare"})'
                    )
                },
                unit="percentunit",
            ),
            Panel(
                title="Time since the start",
                queries={"{{instance}}": 'time() - max by (instance) (process_start_time_seconds{job="picshare"})'},
                unit="s",
            ),
            Panel(
                title="Versions",
                queries={"{{version}}": "count by (version) (picshare_info)"},
            ),
        ],
        "Engines": [
            Panel(
                title="Dependencies that answer",
                queries={"{{dependency}}": "min by (dependency) (picshare_dependency_up)"},
            ),
            Panel(
                title="Circuits",
                queries={"{{name}}": "max by (name) (picshare_circuit_state)"},
                description="0 closed, 1 half open, 2 open.",
                empty=_NO_TRAFFIC,
            ),
            Panel(
                title="Free space of the data directory",
                queries={"{{instance}}": "picshare_disk_free_bytes > 0"},
                unit="bytes",
            ),
            Panel(
                title="Reserve of the data directory given up",
                queries={"{{instance}}": "max by (instance) (picshare_disk_full)"},
            ),
        ],
        "Replicas": [
            Panel(
                title="Lag of the replicas",
                queries={"{{replica}}": "max by (replica) (picshare_replica_lag_seconds)"},
                unit="s",
                empty=_NO_REPLICA,
            ),
            Panel(
                title="Processes that use a replica",
                queries={"{{replica}}": "sum by (replica) (picshare_replica_used)"},
                empty=_NO_REPLICA,
            ),
            Panel(
                title="Reads, by server",
                queries={
                    "{{server}}": rate("picshare_database_reads_total", "server"),
                    "repeated on the primary": rate("picshare_database_reads_repeated_total"),
                },
                unit="ops",
                empty=_NO_REPLICA,
            ),
        ],
    },
)

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
                empty=_NO_FAULT,
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

DASHBOARDS = (LIVE, FEEDS, MEDIA, QUEUES, ENGINES, SLOS)
