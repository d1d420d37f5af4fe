"""Metrics of the GraphQL interface."""

from __future__ import annotations

from typing import Protocol


class GraphqlMetrics(Protocol):
    """Metrics of GraphQL requests."""

    def graphql_done(self, *, operation: str, outcome: str) -> None:
        """Record a request: "query", "mutation" or "unknown", and "ok", "errors" or the code of its refusal."""
        ...

    def graphql_prepared(self, *, known: bool, cost: int) -> None:
        """Record an operation that will be executed: its cost, and whether its document was checked before."""
        ...


class NoGraphqlMetrics:
    """Metrics that record nothing."""

    def graphql_done(self, *, operation: str, outcome: str) -> None:
        """Record nothing."""

    def graphql_prepared(self, *, known: bool, cost: int) -> None:
        """Record nothing."""
