"""Metrics of the authorization server, among all others."""

from __future__ import annotations

from server.operation.metrics import Metrics


def test_requests_are_counted_by_kind_and_outcome() -> None:
    """The counter keeps apart what applications asked for, and what became of it."""
    metrics = Metrics("test")
    metrics.oauth_done(request="refresh_token", outcome="invalid_grant")
    metrics.oauth_done(request="refresh_token", outcome="invalid_grant")
    metrics.request_done(method="GET", route="/", status=200, seconds=0.1)
    labels = {"request": "refresh_token", "outcome": "invalid_grant"}
    assert metrics.registry.get_sample_value("picshare_oauth_requests_total", labels) == 2
