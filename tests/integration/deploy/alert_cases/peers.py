"""Cases of the alerts about calls to other services: webhooks, push messages, mails and circuits."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

CASES: Mapping[str, Case] = {
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
}
