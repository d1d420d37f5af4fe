"""Cases of the alerts about requests, live connections and service levels."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

_STAGE = 'picshare_event_stage_seconds_bucket{queue="fanout",stage="socket",le='

CASES: Mapping[str, Case] = {
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


SLOW_CASES: Mapping[str, Case] = {
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
