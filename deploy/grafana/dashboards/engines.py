"""The dashboard "processes and engines": processes, and what they see of engines and the store of images."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_SUCH_REQUESTS, WITH_REPLICAS, Dashboard, Panel, rate

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
                empty=AFTER_SUCH_REQUESTS,
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
                empty=WITH_REPLICAS,
            ),
            Panel(
                title="Processes that use a replica",
                queries={"{{replica}}": "sum by (replica) (picshare_replica_used)"},
                empty=WITH_REPLICAS,
            ),
            Panel(
                title="Reads, by server",
                queries={
                    "{{server}}": rate("picshare_database_reads_total", "server"),
                    "repeated on the primary": rate("picshare_database_reads_repeated_total"),
                },
                unit="ops",
                empty=WITH_REPLICAS,
            ),
        ],
    },
)
