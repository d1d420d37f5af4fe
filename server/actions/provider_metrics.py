"""The port for metrics of sign-ins with providers."""

from __future__ import annotations

from typing import Protocol


class ProviderMetrics(Protocol):
    """Counts sign-ins with providers."""

    def provider_sign_in(self, provider: str, outcome: str) -> None:
        """Record the end of a sign-in: `signed_in`, `signed_up`, `linked`, or why it has failed."""
        ...


class NoProviderMetrics:
    """Records nothing."""

    def provider_sign_in(self, provider: str, outcome: str) -> None:
        """Do nothing."""
