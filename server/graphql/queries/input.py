"""Arguments of queries as those of REST queries, with the same checks and messages."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from server.edge.problem import invalid
from server.graphql.resolution.refusals import renamed

M = TypeVar("M", bound=BaseModel)

# Parameters of REST whose arguments have other names.
_NAMES = {"limit": "first", "cursor": "after", "q": "query"}


def checked_query(model: type[M], **values: Any) -> M:
    """Return the query that a REST client would send; raise a 400 that names the arguments that are not valid."""
    given = tuple((name, value) for name, value in values.items() if value is not None)
    try:
        found: M = _validated(model, given)
    except ValidationError as error:
        raise renamed(invalid(error, status=400), _NAMES) from error
    return found


@lru_cache(maxsize=1024)
def _validated(model: type[M], given: tuple[tuple[str, Any], ...]) -> M:
    # Query models are frozen, and most requests are for the same first page, as over REST.
    return model.model_validate(dict(given))
