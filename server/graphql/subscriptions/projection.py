"""Projection of publications: one execution of a plan, without I/O, for all subscriptions that select the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from server.graphql.execution import Execution
from server.graphql.fields import TYPE_NAME, ResolverContext
from server.graphql.operations import PreparedOperation


class PlanProjection:
    """Projection through the plan of a subscription.

    `events` are the types of publications that are events, with their object types; `defaults` are members that a
    publication may lack.
    """

    def __init__(self, prepared: PreparedOperation, events: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._plan = prepared.plan
        # Only arguments of the root field use variables, and its resolver ignores them: those of the first subscription
        # serve for all.
        self._variables = prepared.variables
        self._events = events
        self._defaults = defaults

    def project(self, data: bytes) -> bytes | None:
        """Return the response for a publication, or None if it is no event; see the port."""
        document: dict[str, Any] = {**self._defaults, **orjson.loads(data)}
        name = self._events.get(document["type"])
        if name is None:
            return None
        document[TYPE_NAME] = name
        execution = Execution(self._plan, ResolverContext(), self._variables)
        response: dict[str, Any] = {"data": _completed(execution, document)}
        if execution.errors:
            response["errors"] = execution.errors
        return orjson.dumps(response)


def _completed(execution: Execution, document: dict[str, Any]) -> dict[str, Any] | None:
    running = execution.run(document)
    try:
        running.send(None)
    except StopIteration as done:
        found: dict[str, Any] | None = done.value
        return found
    running.close()
    # The check of the document refuses fields whose resolvers await something.
    raise RuntimeError("a field of a subscription needs I/O")
