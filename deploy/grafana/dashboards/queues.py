"""The dashboard "queues": the outbox, the queues and their workers, the janitor, and what leaves PicShare."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_FAULT, AFTER_SUCH_REQUESTS, Dashboard, Panel, quantile, rate

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
                empty=AFTER_FAULT,
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
                empty=AFTER_SUCH_REQUESTS,
            ),
            Panel(
                title="Pushes",
                queries={"{{result}}": rate("picshare_pushes_total", "result")},
                unit="ops",
                empty=AFTER_SUCH_REQUESTS,
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
                empty=AFTER_SUCH_REQUESTS,
            ),
            Panel(
                title="Calls to other services, by outcome",
                queries={"{{name}} {{outcome}}": rate("picshare_outbound_requests_total", "name, outcome")},
                unit="ops",
                empty=AFTER_SUCH_REQUESTS,
            ),
        ],
    },
)
