"""Samples with which each shipped alert fires, and with which it does not, by part of PicShare."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.deploy.alert_cases import delivery, events, images, moderation, peers, processes
from tests.integration.deploy.alert_cases.case import Case

CASES: Mapping[str, Case] = {
    **processes.CASES,
    **events.CASES,
    **peers.CASES,
    **images.CASES,
    **moderation.CASES,
    **delivery.CASES,
}

# Windows of days: one sample every five minutes.
SLOW_CASES: Mapping[str, Case] = {**processes.SLOW_CASES, **delivery.SLOW_CASES}
