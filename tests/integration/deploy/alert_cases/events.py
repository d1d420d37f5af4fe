"""Cases of the alerts about events, queues, jobs and periodic tasks."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

_AGE = 'picshare_event_age_seconds_bucket{queue="notify",le='

CASES: Mapping[str, Case] = {
    "a promotion that does not end": (
        {'picshare_stars{state="star"}': "2x50", 'picshare_stars{state="promoting"}': "0x5 1x45"},
        "40m",
        "PicshareStarChangeStopped",
        {"state": "promoting"},
    ),
    "a promotion that has ended": (
        {'picshare_stars{state="star"}': "2x50", 'picshare_stars{state="promoting"}': "0x5 1x20 0x25"},
        "40m",
        "PicshareStarChangeStopped",
        None,
    ),
    "queues that are not measured any more": (
        {
            'picshare_backlog_measured_timestamp_seconds{instance="api"}': "0x10",
            'picshare_backlog_measured_timestamp_seconds{instance="relay"}': "0 60 60x8",
        },
        "5m",
        "PicshareBacklogUnknown",
        {},
    ),
    "queues that are measured": (
        {
            'picshare_backlog_measured_timestamp_seconds{instance="api"}': "0x10",
            'picshare_backlog_measured_timestamp_seconds{instance="relay"}': "0+60x10",
        },
        "5m",
        "PicshareBacklogUnknown",
        None,
    ),
    "a queue without a worker": (
        {'picshare_queue_without_consumer{queue="bulk"}': "0 1x5"},
        "3m",
        "PicshareQueueWithoutConsumer",
        {"queue": "bulk"},
    ),
    "a queue with a worker": (
        {'picshare_queue_without_consumer{queue="bulk"}': "0x5"},
        "3m",
        "PicshareQueueWithoutConsumer",
        None,
    ),
    "a queue that grows": (
        {'picshare_queue_depth{queue="media"}': "500+200x20"},
        "15m",
        "PicshareQueueGrows",
        {"queue": "media"},
    ),
    "a long queue that is worked off": (
        {'picshare_queue_depth{queue="media"}': "9000-200x20"},
        "15m",
        "PicshareQueueGrows",
        None,
    ),
    "jobs that fail": (
        {
            'picshare_jobs_total{queue="media",outcome="retried"}': "0+20x30",
            'picshare_jobs_total{queue="media",outcome="done"}': "0+80x30",
        },
        "20m",
        "PicshareJobsFail",
        {"queue": "media"},
    ),
    "jobs of which few fail": (
        {
            'picshare_jobs_total{queue="media",outcome="retried"}': "0+2x30",
            'picshare_jobs_total{queue="media",outcome="done"}': "0+98x30",
        },
        "20m",
        "PicshareJobsFail",
        None,
    ),
    "a janitor that has stopped": (
        {'picshare_periodic_task_runs_total{task="holds",outcome="done"}': "0+4x10 40x40"},
        "40m",
        "PicshareJanitorMissing",
        {},
    ),
    "a janitor that runs": (
        {'picshare_periodic_task_runs_total{task="holds",outcome="done"}': "0+4x50"},
        "40m",
        "PicshareJanitorMissing",
        None,
    ),
    "a periodic task that fails": (
        {'picshare_periodic_task_runs_total{task="holds",outcome="failed"}': "0 1 2 3 4 5x5"},
        "8m",
        "PicshareTasksFail",
        {"task": "holds"},
    ),
    "a periodic task that failed once": (
        {'picshare_periodic_task_runs_total{task="holds",outcome="failed"}': "0 1x10"},
        "8m",
        "PicshareTasksFail",
        None,
    ),
    "a dead letter": (
        {'picshare_queue_depth{queue="media.dead"}': "0 1x5"},
        "2m",
        "PicshareDeadLetters",
        {"queue": "media.dead"},
    ),
    "jobs that wait": (
        {'picshare_queue_depth{queue="media.dead"}': "0x5", 'picshare_queue_depth{queue="media"}': "5x5"},
        "2m",
        "PicshareDeadLetters",
        None,
    ),
    "an event that waits in the database": (
        {"picshare_outbox_age_seconds": "0 30 90x5"},
        "3m",
        "PicshareOutboxOld",
        {},
    ),
    "events that leave the database": ({"picshare_outbox_age_seconds": "0 30 5x5"}, "3m", "PicshareOutboxOld", None),
    "events that are handled late": (
        {f'{_AGE}"2.5"}}': "0+90x20", f'{_AGE}"10.0"}}': "0+100x20", f'{_AGE}"+Inf"}}': "0+100x20"},
        "15m",
        "PicshareEventsLate",
        {"queue": "notify"},
    ),
    "events that are handled in time": (
        {f'{_AGE}"2.5"}}': "0+100x20", f'{_AGE}"10.0"}}': "0+100x20", f'{_AGE}"+Inf"}}': "0+100x20"},
        "15m",
        "PicshareEventsLate",
        None,
    ),
    "a counter that was wrong": (
        {
            'picshare_counters_repaired_total{kind="photo"}': "0 0 2x5",
            "picshare_notifications_repaired_total": "0x8",
        },
        "5m",
        "PicshareCountersWrong",
        {},
    ),
    "a counter in Redis that was wrong": (
        {
            'picshare_counters_repaired_total{kind="photo"}': "0x8",
            'picshare_counters_repaired_total{kind="cache"}': "0 0 2x5",
            "picshare_notifications_repaired_total": "0x8",
        },
        "5m",
        "PicshareCountersWrong",
        None,
    ),
}
