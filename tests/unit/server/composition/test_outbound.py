"""The policy of requests to addresses that users supply, from the settings."""

from __future__ import annotations

from ipaddress import ip_network

from server.composition.outbound import outbound_policy
from server.config.settings import Settings
from workers.outbound.policy import OutboundPolicy


def test_the_default_is_the_strict_policy() -> None:
    """Without settings, only https to public addresses is allowed."""
    assert outbound_policy(Settings()) == OutboundPolicy()
    assert OutboundPolicy() == OutboundPolicy(
        schemes=frozenset({"https"}), ports=frozenset({443, 8443}), allowed_networks=()
    )


def test_settings_allow_more() -> None:
    """Each key reaches the policy."""
    values = {"allow_http": True, "ports": (80, 443), "allowed_networks": ("10.0.5.7",)}
    assert outbound_policy(Settings().with_values("outbound", **values)) == OutboundPolicy(
        schemes=frozenset({"http", "https"}),
        ports=frozenset({80, 443}),
        allowed_networks=(ip_network("10.0.5.7"),),
    )
