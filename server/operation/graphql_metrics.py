"""Prometheus metrics of the GraphQL interface."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_COSTS = (1, 20, 50, 100, 200, 500, 1000, 2000)


class GraphqlMetrics:
    """Records GraphQL requests, and the costs of operations."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._graphql_requests = Counter(
            "picshare_graphql_requests",
            "GraphQL requests by the type of the operation, and the code of a refusal.",
            ("operation", "outcome"),
            registry=registry,
        )
        self._graphql_cost = Histogram(
            "picshare_graphql_cost", "Static costs of executed operations.", buckets=_COSTS, registry=registry
        )
        documents = Counter(
            "picshare_graphql_documents",
            "Executed operations by whether their document had been checked before.",
            ("known",),
            registry=registry,
        )
        # The series of labels are found by them faster here than in the library.
        self._graphql_documents = {known: documents.labels("yes" if known else "no") for known in (True, False)}
        self._graphql_outcomes: dict[tuple[str, str], Counter] = {}

    def graphql_done(self, *, operation: str, outcome: str) -> None:
        """Record a request: "query", "mutation" or "unknown", and "ok", "errors" or the code of its refusal."""
        series = self._graphql_outcomes.get((operation, outcome))
        if series is None:
            series = self._graphql_requests.labels(operation, outcome)
            self._graphql_outcomes[operation, outcome] = series
        series.inc()

    def graphql_prepared(self, *, known: bool, cost: int) -> None:
        """Record an operation that will be executed: its cost, and whether its document was checked before."""
        self._graphql_cost.observe(cost)
        self._graphql_documents[known].inc()
