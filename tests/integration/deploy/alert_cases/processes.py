"""Cases of the alerts about processes, machines and the engines that they use."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

_UP = 'up{job="picshare",instance="a",role="api"}'
_LAG = 'picshare_event_loop_lag_seconds_bucket{instance="a",le='

CASES: Mapping[str, Case] = {
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
}


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
}
