"""Cases of the alerts about moderation, scanning and secrets of applications."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases.case import Case

CASES: Mapping[str, Case] = {
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
    "a photo that is held for days": (
        {"picshare_moderation_held_age_seconds": "90000x3"},
        "2m",
        "PicshareHeldPhotosWait",
        {},
    ),
    "a photo that is held": ({"picshare_moderation_held_age_seconds": "900x3"}, "2m", "PicshareHeldPhotosWait", None),
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
    "refresh tokens that are used twice": (
        {'picshare_oauth_requests_total{request="refresh_token",outcome="reused"}': "0+1x12"},
        "10m",
        "PicshareOAuthSecretsReused",
        {"request": "refresh_token"},
    ),
    "an app that repeats a request": (
        {
            'picshare_oauth_requests_total{request="refresh_token",outcome="reused"}': "0 1x20",
            'picshare_oauth_requests_total{request="refresh_token",outcome="invalid_grant"}': "0+9x20",
        },
        "10m",
        "PicshareOAuthSecretsReused",
        None,
    ),
}
