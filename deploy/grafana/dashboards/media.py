"""The dashboard "media": uploads, decoders, variants, the store of images, and caches."""

from __future__ import annotations

from deploy.grafana.panels import AFTER_SUCH_REQUESTS, WITH_IMAGE_CACHE, Dashboard, Panel, quantile, rate

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
                empty=AFTER_SUCH_REQUESTS,
            ),
            Panel(
                title="Scans before publication",
                queries={"{{result}}": rate("picshare_scans_total", "result")},
                unit="ops",
                empty=AFTER_SUCH_REQUESTS,
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
                empty=WITH_IMAGE_CACHE,
            ),
            Panel(
                title="From hiding an image to its purge, 95 %",
                queries={"{{cache}}": quantile(0.95, "picshare_purge_seconds", "cache")},
                unit="s",
                empty=WITH_IMAGE_CACHE,
            ),
            Panel(
                title="Purges that fail, and overdue ones",
                queries={
                    "failed: {{cache}}": rate("picshare_purge_failures_total", "cache"),
                    "overdue: {{cache}}": rate("picshare_purge_overdue_total", "cache"),
                },
                unit="ops",
                empty=WITH_IMAGE_CACHE,
            ),
            Panel(
                title="Warmed caches",
                queries={"{{cache}} {{result}}": rate("picshare_cache_warmed_total", "cache, result")},
                unit="ops",
                empty=WITH_IMAGE_CACHE,
            ),
        ],
    },
)
