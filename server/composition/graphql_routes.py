"""The GraphQL interface of an application: its routes, and which documents it executes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from server.api.services import Services
from server.config.graphql import GraphqlSection
from server.edge.endpoint import Endpoint
from server.edge.guard import Guard
from server.graphql.manifest import Accepted, load_manifest
from server.graphql.metrics import GraphqlMetrics, NoGraphqlMetrics
from server.graphql.routes import GraphqlRoutes, Handlers


@dataclass(frozen=True, kw_only=True)
class GraphqlOptions:
    """Which documents are executed, those of the manifest by their SHA-256, and what is measured."""

    accepted: Accepted = Accepted.OPEN
    manifest: Mapping[str, str] = field(default_factory=dict)
    metrics: GraphqlMetrics = field(default_factory=NoGraphqlMetrics)


def graphql_options(section: GraphqlSection, metrics: GraphqlMetrics) -> GraphqlOptions:
    """Return the options in the settings; raise `ConfigError` where the manifest is none."""
    manifest = {} if section.manifest is None else load_manifest(section.manifest)
    return GraphqlOptions(accepted=Accepted(section.documents), manifest=manifest, metrics=metrics)


def graphql_routes(
    services: Services, guard: Guard, table: Sequence[Endpoint], options: GraphqlOptions
) -> GraphqlRoutes:
    """Return the routes; `table` are the endpoints of the REST API, whose rules the fields have."""

    def load() -> Handlers:
        # Here, because these modules take half a second: see `GraphqlRoutes`.
        from server.composition.graphql import make_schema, request_contexts  # noqa: PLC0415
        from server.graphql.executor import Executor  # noqa: PLC0415
        from server.graphql.handlers import GraphqlHandlers, GraphqlServices  # noqa: PLC0415
        from server.graphql.persisted import PersistedDocuments  # noqa: PLC0415

        return GraphqlHandlers(
            GraphqlServices(
                executor=Executor(make_schema()),
                new_context=request_contexts(services, guard, table),
                charger=guard,
                documents=PersistedDocuments(options.accepted, options.manifest),
                metrics=options.metrics,
            )
        )

    return GraphqlRoutes(load)
