"""Cases of the alerts about images: decoders, variants, blobs and caches."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

CACHE_REQUESTS = "picshare_cache_requests_total"

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
    "purges that are carried out": (
        {
            'picshare_queue_depth{queue="purge"}': "0 3x10",
            'picshare_jobs_total{queue="purge",outcome="done"}': "9+1x10",
        },
        "8m",
        "PicsharePurgesWait",
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
    "a layer of the sandbox that lacks": (
        {'picshare_decoder_sandbox{layer="seccomp"}': "0x3"},
        "2m",
        "PicshareSandboxIncomplete",
        {"layer": "seccomp"},
    ),
    "a whole sandbox": ({'picshare_decoder_sandbox{layer="seccomp"}': "1x3"}, "2m", "PicshareSandboxIncomplete", None),
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
}
