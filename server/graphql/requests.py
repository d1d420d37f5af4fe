"""Requests as the draft "GraphQL over HTTP" describes them: a JSON object, or the query of a GET.

A document is sent as text, or named by its SHA-256: as `documentId`, or in the form of Apollo's persisted queries,
`extensions.persistedQuery.sha256Hash`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson

from server.edge.problem import ProblemError, bad_field

_ID_PREFIX = "sha256:"


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationRequest:
    """A request to execute an operation, whose document is given as text, by its id, or both."""

    text: str | None
    document_id: str | None
    operation_name: str | None
    variables: Mapping[str, Any]


def from_body(value: Any) -> OperationRequest:
    """Return the request in a JSON body; raise a 400 where its form is wrong."""
    if isinstance(value, list):
        raise ProblemError(
            400, "batch_refused", "Send one operation in a request: lists of operations are not accepted."
        )
    if not isinstance(value, dict):
        raise bad_field("body", "The body must be a JSON object.")
    return _request(value)


@lru_cache(maxsize=256)
def from_query(raw: str) -> OperationRequest:
    """Return the request in the query of a GET, whose `variables` and `extensions` are JSON; raise a 400."""
    value: dict[str, Any] = dict(parse_qsl(raw, keep_blank_values=True))
    for name in ("variables", "extensions"):
        if name in value:
            try:
                value[name] = orjson.loads(value[name])
            except orjson.JSONDecodeError as error:
                raise bad_field(name, f"This is not valid JSON: {error}.") from error
    return _request(value)


def _request(value: Mapping[str, Any]) -> OperationRequest:
    text, document_id = _member(value, "query", str), _member(value, "documentId", str)
    extensions = _member(value, "extensions", dict) or {}
    persisted = _member(extensions, "persistedQuery", dict) or {}
    digest = document_id or _member(persisted, "sha256Hash", str)
    if text is None and digest is None:
        raise bad_field("query", "Send a document as query, or its SHA-256 as documentId.")
    return OperationRequest(
        text=text,
        document_id=None if digest is None else digest.removeprefix(_ID_PREFIX).lower(),
        operation_name=_member(value, "operationName", str) or None,
        variables=_member(value, "variables", dict) or {},
    )


def _member(value: Mapping[str, Any], name: str, kind: type) -> Any:
    found = value.get(name)
    if found is not None and not isinstance(found, kind):
        expected = "a string" if kind is str else "an object"
        raise bad_field(name, f"This should be {expected}.")
    return found
