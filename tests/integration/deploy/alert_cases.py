"""Samples with which each shipped alert fires, and with which it does not.

Each case: series of one sample a minute, the time to look, an alert, and the labels with which it fires (without its
severity), or None if it does not.
"""

from __future__ import annotations

from collections.abc import Mapping

Case = tuple[Mapping[str, str], str, str, Mapping[str, str] | None]

CACHE_REQUESTS = "picshare_cache_requests_total"
_UP = 'up{job="picshare",instance="a",role="api"}'
_LAG = 'picshare_event_loop_lag_seconds_bucket{instance="a",le='
_STAGE = 'picshare_event_stage_seconds_bucket{queue="fanout",stage="socket",le='
_AGE = 'picshare_event_age_seconds_bucket{queue="notify",le='

CASES: Mapping[str, Case] = {
    "a low ratio for a quarter of an hour": (
        {
            f'{CACHE_REQUESTS}{{instance="a",status="HIT"}}': "0+800x30",
            f'{CACHE_REQUESTS}{{instance="a",status="MISS"}}': "0+200x30",
        },
        "25m",
        "PicshareCacheHitRatioLow",
        {"instance": "a"},
    ),
    "a low ratio for less": (
        {
            f'{CACHE_REQUESTS}{{instance="a",status="HIT"}}': "0+800x30",
            f'{CACHE_REQUESTS}{{instance="a",status="MISS"}}': "0+200x30",
        },
        "15m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "no hit at all": (
        {f'{CACHE_REQUESTS}{{instance="a",status="MISS"}}': "0+100x30"},
        "25m",
        "PicshareCacheHitRatioLow",
        {"instance": "a"},
    ),
    "a good ratio, with purges": (
        {
            f'{CACHE_REQUESTS}{{instance="a",status="HIT"}}': "0+850x30",
            f'{CACHE_REQUESTS}{{instance="a",status="STALE"}}': "0+60x30",
            f'{CACHE_REQUESTS}{{instance="a",status="MISS"}}': "0+90x30",
            f'{CACHE_REQUESTS}{{instance="a",status="BYPASS"}}': "0+900x30",
        },
        "25m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "hardly any traffic": (
        {f'{CACHE_REQUESTS}{{instance="a",status="MISS"}}': "0+50x30"},
        "25m",
        "PicshareCacheHitRatioLow",
        None,
    ),
    "a purge that still fails after a minute": (
        {'picshare_purge_overdue_total{cache="a",instance="w"}': "0 0 0 1 2 3 4"},
        "5m",
        "PicsharePurgeOverdue",
        {"cache": "a"},
    ),
    "a purge that has failed and was carried out": (
        {'picshare_purge_overdue_total{cache="a",instance="w"}': "0 1 2 2 2 2 2 2"},
        "7m",
        "PicsharePurgeOverdue",
        None,
    ),
    "purges without a worker": (
        {'picshare_queue_depth{queue="purge"}': "0 3x10", 'picshare_jobs_total{queue="purge",outcome="done"}': "9x10"},
        "8m",
        "PicsharePurgesWait",
        {},
    ),
    "purges with a worker that was never started": (
        {'picshare_queue_depth{queue="purge"}': "0 3x10"},
        "8m",
        "PicsharePurgesWait",
        {},
    ),
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
    "a circuit that stays open": (
        {
            'picshare_circuit_state{instance="w",name="blobs"}': "0 2 1 2 1 2 2 2 2 2 2",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="circuit_open"}': "0+9x11",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="ok"}': "5x11",
        },
        "8m",
        "PicshareCircuitOpen",
        {"instance": "w", "name": "blobs"},
    ),
    "a circuit that closes soon": (
        {
            'picshare_circuit_state{instance="w",name="blobs"}': "0 2 2 2 0 2 2 2 2 2 2",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="timeout"}': "0+9x11",
        },
        "9m",
        "PicshareCircuitOpen",
        None,
    ),
    "a circuit whose peer is not called any more": (
        {
            'picshare_circuit_state{instance="w",name="purge:a"}': "0 2 2 2 1 1 1 1 1 1 1 1 1 1 1 1 1",
            'picshare_outbound_requests_total{instance="w",name="purge:a",outcome="timeout"}': "0 9x16",
            'picshare_outbound_requests_total{instance="w",name="purge:a",outcome="ok"}': "0+1x16",
            'picshare_outbound_requests_total{instance="w",name="blobs",outcome="unavailable"}': "0+1x16",
        },
        "14m",
        "PicshareCircuitOpen",
        None,
    ),
    "purges that are carried out": (
        {
            'picshare_queue_depth{queue="purge"}': "0 3x10",
            'picshare_jobs_total{queue="purge",outcome="done"}': "9+1x10",
        },
        "8m",
        "PicsharePurgesWait",
        None,
    ),
    "webhooks that no worker looks at": (
        {
            'picshare_webhook_due_age_seconds{instance="api"}': "0x10",
            'picshare_webhook_due_age_seconds{instance="w"}': "0 30 90x8",
        },
        "4m",
        "PicshareWebhooksLate",
        {},
    ),
    "webhooks that are sent": (
        {'picshare_webhook_due_age_seconds{instance="w"}': "0 30 5x8"},
        "4m",
        "PicshareWebhooksLate",
        None,
    ),
    "webhooks that all fail": (
        {
            'picshare_webhook_attempt_seconds_count{outcome="failed"}': "0+60x90",
            'picshare_webhook_attempt_seconds_count{outcome="delivered"}': "0+30x90",
        },
        "80m",
        "PicshareWebhooksFail",
        {},
    ),
    "webhooks of which some fail": (
        {
            'picshare_webhook_attempt_seconds_count{outcome="failed"}': "0+30x90",
            'picshare_webhook_attempt_seconds_count{outcome="delivered"}': "0+60x90",
        },
        "80m",
        "PicshareWebhooksFail",
        None,
    ),
    "a process that does not answer": (
        {_UP: "1 0x5"},
        "3m",
        "PicshareDown",
        {"job": "picshare", "instance": "a", "role": "api"},
    ),
    "a process that misses one scrape": ({_UP: "1 0 1x5"}, "1m", "PicshareDown", None),
    "an engine that does not answer two processes": (
        {f'picshare_dependency_up{{instance="{name}",dependency="redis"}}': "1 0x5" for name in "ab"},
        "3m",
        "PicshareDependencyDown",
        {"dependency": "redis"},
    ),
    "an engine that answers": (
        {'picshare_dependency_up{dependency="redis"}': "1x5"},
        "3m",
        "PicshareDependencyDown",
        None,
    ),
    "a process that starts again and again": (
        {'process_start_time_seconds{job="picshare",instance="a"}': "1 1 100 160 220"},
        "5m",
        "PicshareRestarts",
        {"job": "picshare", "instance": "a"},
    ),
    "a process that was replaced": (
        {'process_start_time_seconds{job="picshare",instance="a"}': "1 1 100x5"},
        "5m",
        "PicshareRestarts",
        None,
    ),
    "nearly all files open": (
        {'process_open_fds{job="picshare"}': "900x5", 'process_max_fds{job="picshare"}': "1000x5"},
        "3m",
        "PicshareFilesRunOut",
        {"job": "picshare"},
    ),
    "half of all files open": (
        {'process_open_fds{job="picshare"}': "500x5", 'process_max_fds{job="picshare"}': "1000x5"},
        "3m",
        "PicshareFilesRunOut",
        None,
    ),
    "a gigabyte left": ({"picshare_disk_free_bytes": "1e9x10"}, "8m", "PicshareDiskLow", {}),
    "a disk that will be full tonight": ({"picshare_disk_free_bytes": "50e9-100e6x60"}, "60m", "PicshareDiskLow", {}),
    "a disk with space, and a process without data": (
        {'picshare_disk_free_bytes{instance="a"}': "50e9x60", 'picshare_disk_free_bytes{instance="b"}': "0x60"},
        "60m",
        "PicshareDiskLow",
        None,
    ),
    "a reserve that was given up": ({"picshare_disk_full": "0 1x5"}, "2m", "PicshareDiskFull", {}),
    "a reserve that is held": ({"picshare_disk_full": "0x5"}, "2m", "PicshareDiskFull", None),
    "an event loop that is late": (
        {f'{_LAG}"0.1"}}': "0+90x20", f'{_LAG}"0.25"}}': "0+100x20", f'{_LAG}"+Inf"}}': "0+100x20"},
        "15m",
        "PicshareEventLoopLags",
        {"instance": "a"},
    ),
    "an event loop that is seldom late": (
        {f'{_LAG}"0.1"}}': "0+995x20", f'{_LAG}"0.25"}}': "0+1000x20", f'{_LAG}"+Inf"}}': "0+1000x20"},
        "15m",
        "PicshareEventLoopLags",
        None,
    ),
    "a clock that is behind": (
        {'picshare_event_clock_errors_total{instance="a"}': "0 0 3x5"},
        "4m",
        "PicshareClocksDiffer",
        {"instance": "a"},
    ),
    "clocks that agree": (
        {'picshare_event_clock_errors_total{instance="a"}': "0x8"},
        "4m",
        "PicshareClocksDiffer",
        None,
    ),
    "a certificate of three months with a week left": (
        {
            'picshare_certificate_expires_timestamp_seconds{domain="a.example"}': "604800x5",
            'picshare_certificate_lifetime_seconds{domain="a.example"}': "7776000x5",
        },
        "2m",
        "PicshareCertificateExpires",
        {"domain": "a.example"},
    ),
    "a certificate of six days with three left": (
        {
            'picshare_certificate_expires_timestamp_seconds{domain="a.example"}': "259200x5",
            'picshare_certificate_lifetime_seconds{domain="a.example"}': "518400x5",
        },
        "2m",
        "PicshareCertificateExpires",
        None,
    ),
    "a certificate that cannot be used": (
        {'picshare_certificate_loads_total{instance="a",result="refused"}': "_x20 1x5"},
        "22m",
        "PicshareCertificateRefused",
        {"instance": "a", "result": "refused"},
    ),
    "a certificate that was renewed": (
        {
            'picshare_certificate_loads_total{instance="a",result="refused"}': "0x30",
            'picshare_certificate_loads_total{instance="a",result="loaded"}': "1x20 2x5",
        },
        "22m",
        "PicshareCertificateRefused",
        None,
    ),
    "orders that fail": (
        {'picshare_acme_orders_total{instance="a",result="failed"}': "0 1 2 3x5"},
        "6m",
        "PicshareCertificateOrdersFail",
        {"instance": "a"},
    ),
    "orders that are carried out": (
        {'picshare_acme_orders_total{instance="a",result="issued"}': "0 1 2 3x5"},
        "6m",
        "PicshareCertificateOrdersFail",
        None,
    ),
    "processes that end again and again": (
        {'picshare_serving_process_restarts_total{instance="a"}': "0+1x10"},
        "9m",
        "PicshareServingProcessesRestart",
        {"instance": "a"},
    ),
    "a process that ended": (
        {'picshare_serving_process_restarts_total{instance="a"}': "0 1x10"},
        "9m",
        "PicshareServingProcessesRestart",
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
    "sockets that get publications late": (
        {f'{_STAGE}"1.0"}}': "0+80x20", f'{_STAGE}"2.5"}}': "0+100x20", f'{_STAGE}"+Inf"}}': "0+100x20"},
        "15m",
        "PicshareSocketsLate",
        {"queue": "fanout"},
    ),
    "sockets that get publications soon": (
        {f'{_STAGE}"1.0"}}': "0+99x20", f'{_STAGE}"2.5"}}': "0+100x20", f'{_STAGE}"+Inf"}}': "0+100x20"},
        "15m",
        "PicshareSocketsLate",
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
    "an upload that was not processed": (
        {'picshare_periodic_task_items_total{task="stuck_photos"}': "0 0 1x5"},
        "5m",
        "PicshareUploadsStuck",
        {"task": "stuck_photos"},
    ),
    "uploads that are processed": (
        {
            'picshare_periodic_task_items_total{task="stuck_photos"}': "0x8",
            'picshare_periodic_task_items_total{task="retention"}': "0+5x8",
        },
        "5m",
        "PicshareUploadsStuck",
        None,
    ),
    "images that crash decoders": (
        {'picshare_decode_seconds_count{format="jpeg",outcome="crashed"}': "0+2x20"},
        "15m",
        "PicshareDecodersFail",
        {},
    ),
    "an image that crashes its decoder": (
        {'picshare_decode_seconds_count{format="jpeg",outcome="crashed"}': "0 0 1x20"},
        "15m",
        "PicshareDecodersFail",
        None,
    ),
    "variants that are late": (
        {
            'picshare_variant_requests_total{result="late"}': "0+10x30",
            'picshare_variant_requests_total{result="hit"}': "0+90x30",
        },
        "20m",
        "PicshareVariantsLate",
        {},
    ),
    "variants of which few are late": (
        {
            'picshare_variant_requests_total{result="late"}': "0+1x30",
            'picshare_variant_requests_total{result="hit"}': "0+99x30",
        },
        "20m",
        "PicshareVariantsLate",
        None,
    ),
    "scans without an answer": (
        {'picshare_scans_total{result="unavailable"}': "0+2x10"},
        "8m",
        "PicshareScansFail",
        {},
    ),
    "a scan without an answer": (
        {'picshare_scans_total{result="unavailable"}': "0 0 1x10"},
        "8m",
        "PicshareScansFail",
        None,
    ),
    "pushes and mails that are late": (
        {"picshare_delivery_due_age_seconds": "0 60 150x5"},
        "4m",
        "PicshareDeliveriesLate",
        {},
    ),
    "pushes and mails in time": (
        {"picshare_delivery_due_age_seconds": "0 60 20x5"},
        "4m",
        "PicshareDeliveriesLate",
        None,
    ),
    "push messages that are refused": (
        {'picshare_pushes_total{result="refused"}': "0+60x90", 'picshare_pushes_total{result="sent"}': "0+30x90"},
        "80m",
        "PicsharePushesRefused",
        {},
    ),
    "push messages of which some are refused": (
        {'picshare_pushes_total{result="refused"}': "0+30x90", 'picshare_pushes_total{result="sent"}': "0+60x90"},
        "80m",
        "PicsharePushesRefused",
        None,
    ),
    "mails that fail": (
        {
            'picshare_mails_total{kind="a",result="deferred"}': "0+60x40",
            'picshare_mails_total{kind="a",result="sent"}': "0+30x40",
        },
        "30m",
        "PicshareMailsFail",
        {},
    ),
    "mails that are sent, or not wanted": (
        {
            'picshare_mails_total{kind="a",result="deferred"}': "0+3x40",
            'picshare_mails_total{kind="a",result="skipped"}': "0+60x40",
            'picshare_mails_total{kind="a",result="sent"}': "0+30x40",
        },
        "30m",
        "PicshareMailsFail",
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
    "an event loop that has stalled": (
        {"picshare_event_loop_stall_seconds": "0.01 0.8x3"},
        "2m",
        "PicshareEventLoopStalls",
        {},
    ),
    "an event loop that runs": (
        {"picshare_event_loop_stall_seconds": "0.01 0.1x3"},
        "2m",
        "PicshareEventLoopStalls",
        None,
    ),
    "responses that are errors": (
        {
            'picshare_http_requests_total{status="503"}': "0+5x20",
            'picshare_http_requests_total{status="200"}': "0+95x20",
        },
        "15m",
        "PicshareErrors",
        {},
    ),
    "responses that refuse": (
        {
            'picshare_http_requests_total{status="429"}': "0+50x20",
            'picshare_http_requests_total{status="200"}': "0+50x20",
        },
        "15m",
        "PicshareErrors",
        None,
    ),
    "streams of many connections are lost": (
        {'picshare_live_recoveries_total{outcome="lost"}': "0 0 200x10"},
        "5m",
        "PicshareLiveStreamsLost",
        {},
    ),
    "streams that are recovered": (
        {
            'picshare_live_recoveries_total{outcome="lost"}': "0x10",
            'picshare_live_recoveries_total{outcome="recovered"}': "0 0 900x10",
        },
        "5m",
        "PicshareLiveStreamsLost",
        None,
    ),
    "a live process that has died": (
        {"picshare_live_processes_expired_total": "0 0 1x5"},
        "4m",
        "PicshareLiveProcessesExpired",
        {},
    ),
    "live processes that live": (
        {"picshare_live_processes_expired_total": "1x8"},
        "4m",
        "PicshareLiveProcessesExpired",
        None,
    ),
    "the first image of a list": (
        {'picshare_abuse_findings_total{kind="listed_image",rule="own",action="hold"}': "_x20 1x5"},
        "22m",
        "PicshareListedImages",
        {"rule": "own", "action": "hold"},
    ),
    "the second image of a list": (
        {'picshare_abuse_findings_total{kind="listed_image",rule="own",action="hold"}': "1x20 2x5"},
        "22m",
        "PicshareListedImages",
        {"rule": "own", "action": "hold"},
    ),
    "an image of a list an hour ago, and another finding": (
        {
            'picshare_abuse_findings_total{kind="listed_image",rule="own",action="hold"}': "1x60",
            'picshare_abuse_findings_total{kind="spam",rule="links",action="hold"}': "0+1x60",
        },
        "60m",
        "PicshareListedImages",
        None,
    ),
    "the first original that a scan names": (
        {'picshare_scans_total{result="match"}': "_x20 1x5"},
        "22m",
        "PicshareScanMatch",
        {"result": "match"},
    ),
    "scans that name nothing": ({'picshare_scans_total{result="pass"}': "0+5x30"}, "22m", "PicshareScanMatch", None),
    "a replica that lags": (
        {'picshare_replica_lag_seconds{replica="r:5432",instance="a"}': "0 40x5"},
        "4m",
        "PicshareReplicaLags",
        {"replica": "r:5432"},
    ),
    "a replica whose lag is unknown": (
        {'picshare_replica_lag_seconds{replica="r:5432",instance="a"}': "0 +Inf +Inf +Inf +Inf"},
        "3m",
        "PicshareReplicaLags",
        {"replica": "r:5432"},
    ),
    "a replica that follows": (
        {'picshare_replica_lag_seconds{replica="r:5432"}': "0.1x5"},
        "4m",
        "PicshareReplicaLags",
        None,
    ),
    "a replica without reads": (
        {'picshare_replica_used{replica="r:5432"}': "1 0x10"},
        "8m",
        "PicshareReplicaUnused",
        {"replica": "r:5432"},
    ),
    "a replica that was without reads": (
        {'picshare_replica_used{replica="r:5432"}': "1 0 0 1x10"},
        "8m",
        "PicshareReplicaUnused",
        None,
    ),
    "a layer of the sandbox that lacks": (
        {'picshare_decoder_sandbox{layer="seccomp"}': "0x3"},
        "2m",
        "PicshareSandboxIncomplete",
        {"layer": "seccomp"},
    ),
    "a whole sandbox": ({'picshare_decoder_sandbox{layer="seccomp"}': "1x3"}, "2m", "PicshareSandboxIncomplete", None),
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
    "a photo that is held for days": (
        {"picshare_moderation_held_age_seconds": "90000x3"},
        "2m",
        "PicshareHeldPhotosWait",
        {},
    ),
    "a photo that is held": ({"picshare_moderation_held_age_seconds": "900x3"}, "2m", "PicshareHeldPhotosWait", None),
    "searches that are cut off": (
        {
            'picshare_search_partial_total{kind="photos"}': "0+10x40",
            'picshare_search_seconds_count{kind="photos"}': "0+100x40",
        },
        "30m",
        "PicshareSearchesCut",
        {"kind": "photos"},
    ),
    "searches that are complete": (
        {
            'picshare_search_partial_total{kind="photos"}': "0+1x40",
            'picshare_search_seconds_count{kind="photos"}': "0+100x40",
        },
        "30m",
        "PicshareSearchesCut",
        None,
    ),
    "a case that waits": (
        {"picshare_case_age_seconds": "90000x20", "picshare_appeals_pending": "0x20"},
        "15m",
        "PicshareCasesWait",
        {},
    ),
    "a case of today": (
        {"picshare_case_age_seconds": "3600x20", "picshare_appeals_pending": "0x20"},
        "15m",
        "PicshareCasesWait",
        None,
    ),
    "calls to the store of images that fail": (
        {
            'picshare_blob_op_seconds_count{op="put",outcome="unavailable"}': "0+5x20",
            'picshare_blob_op_seconds_count{op="put",outcome="ok"}': "0+95x20",
        },
        "15m",
        "PicshareBlobErrors",
        {},
    ),
    "images that are missing": (
        {
            'picshare_blob_op_seconds_count{op="head",outcome="missing"}': "0+50x20",
            'picshare_blob_op_seconds_count{op="head",outcome="ok"}': "0+50x20",
        },
        "15m",
        "PicshareBlobErrors",
        None,
    ),
    "an hour in which a fiftieth of all requests fail": (
        {
            'picshare_http_requests_total{route="/api/v1/feed",status="200"}': "0+980x90",
            'picshare_http_requests_total{route="/api/v1/feed",status="503"}': "0+20x90",
        },
        "80m",
        "PicshareBudgetBurnsFast",
        {"slo": "availability"},
    ),
    "a fiftieth of few requests fails": (
        {
            'picshare_http_requests_total{route="/api/v1/feed",status="200"}': "0+1x90",
            'picshare_http_requests_total{route="/api/v1/feed",status="503"}': "0+1x90",
        },
        "80m",
        "PicshareBudgetBurnsFast",
        None,
    ),
    "requests fail for an hour, and not any more": (
        {
            'picshare_http_requests_total{route="/api/v1/feed",status="200"}': "0+980x120",
            'picshare_http_requests_total{route="/api/v1/feed",status="503"}': "0+20x60 1200x60",
        },
        "98m",
        "PicshareBudgetBurnsFast",
        None,
    ),
    "pages of the feed are slow": (
        {
            'picshare_http_request_seconds_count{method="GET",route="/api/v1/feed"}': "0+100x90",
            'picshare_http_request_seconds_bucket{method="GET",route="/api/v1/feed",le="0.2"}': "0+10x90",
        },
        "80m",
        "PicshareBudgetBurnsFast",
        {"slo": "feed"},
    ),
}


# Windows of days: one sample every five minutes.
SLOW_CASES: Mapping[str, Case] = {
    "a backup of the day before yesterday": (
        {'picshare_last_backup_timestamp_seconds{instance="a"}': "3600x700"},
        "50h",
        "PicshareBackupOld",
        {"instance": "a"},
    ),
    "no backup by this process yet, and one of yesterday": (
        {
            'picshare_last_backup_timestamp_seconds{instance="a"}': "0x700",
            'picshare_last_backup_timestamp_seconds{instance="b"}': "3600x700",
        },
        "30h",
        "PicshareBackupOld",
        None,
    ),
    "slow clients become many": (
        {'picshare_live_closes_total{code="3008"}': "0+1x290 290+300x20"},
        "25h",
        "PicshareLiveClosesRise",
        {"code": "3008"},
    ),
    "slow clients as on the day before": (
        {'picshare_live_closes_total{code="3008"}': "0+300x310"},
        "25h",
        "PicshareLiveClosesRise",
        None,
    ),
    "for days a tenth of all uploads is slow": (
        {
            'picshare_http_request_seconds_count{method="POST",route="/api/v1/photos"}': "0+3000x1200",
            'picshare_http_request_seconds_bucket{method="POST",route="/api/v1/photos",le="1.0"}': "0+2700x1200",
        },
        "90h",
        "PicshareBudgetBurns",
        {"slo": "upload"},
    ),
    "for days few uploads are slow": (
        {
            'picshare_http_request_seconds_count{method="POST",route="/api/v1/photos"}': "0+3000x1200",
            'picshare_http_request_seconds_bucket{method="POST",route="/api/v1/photos",le="1.0"}': "0+2970x1200",
        },
        "90h",
        "PicshareBudgetBurns",
        None,
    ),
}
