"""Errors of GraphQL responses: the problems of the product keep their codes, and unexpected errors are masked.

An entry has `message`, `locations`, `path` and `extensions {code, status, errors?}`, in which `code`, `status` and
`errors` are those of the problem that the REST API answers with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from graphql import GraphQLError, Node

from server.edge.problem import ProblemError, unexpected
from server.edge.problems import problem_of

log = structlog.get_logger(__name__)

Path = Sequence[str | int]


class RequestRefusedError(Exception):
    """A request that is not executed: its errors have no path, and the response has no data.

    `code` says which check failed; programs and metrics use it. `cost` is that of an operation that costs too much.
    """

    def __init__(
        self, code: str, errors: Iterable[GraphQLError | str], *, status: int = 400, cost: int | None = None
    ) -> None:
        found = [GraphQLError(error) if isinstance(error, str) else error for error in errors]
        super().__init__(found[0].message if found else code)
        self.code = code
        self.status = status
        self.cost = cost
        self.errors = found

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the response's `errors`."""
        extensions = {"code": self.code, "status": self.status}
        return [_entry(error.message, error.nodes, extensions) | _source(error) for error in self.errors]


class ArgumentError(Exception):
    """An argument of a field has a value that its type does not allow, which only its variable showed."""


class FieldErrors:
    """Entries of the errors of one response; each unexpected exception is logged once."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._logged: set[int] = set()

    def add(self, error: Exception, path: Path, nodes: Sequence[Node]) -> None:
        """Add the error of a field."""
        problem = self._problem(error)
        extensions: dict[str, Any] = {"code": problem.code, "status": problem.status, **problem.members}
        if problem.errors:
            extensions["errors"] = [{"field": field, "message": message} for field, message in problem.errors]
        self.entries.append(_entry(problem.detail, nodes, extensions) | {"path": list(path)})

    def _problem(self, error: Exception) -> ProblemError:
        if isinstance(error, ArgumentError):
            return ProblemError(400, "invalid_argument", str(error))
        problem = problem_of(error)
        if problem is not None:
            if problem.status >= 500:
                log.warning("graphql_field_unavailable", code=problem.code, cause=str(error))
            return problem
        if id(error) not in self._logged:
            # The same exception is the error of every parent of a batch.
            self._logged.add(id(error))
            log.error("graphql_field_failed", exc_info=error)
        return unexpected()


def _entry(message: str, nodes: Sequence[Node] | None, extensions: dict[str, Any]) -> dict[str, Any]:
    located = GraphQLError(message, nodes)
    entry: dict[str, Any] = {"message": message, "extensions": extensions}
    if located.locations:
        entry["locations"] = [location.formatted for location in located.locations]
    return entry


def _source(error: GraphQLError) -> dict[str, Any]:
    # Errors of the parser have positions in the text in place of nodes.
    return {"locations": [location.formatted for location in error.locations]} if error.locations else {}
