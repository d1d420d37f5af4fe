"""Problems in the language of a response: their sentences, but neither codes nor fields."""

from __future__ import annotations

from collections.abc import Iterable

from locales.catalogues import ENGLISH, translate
from server.edge.problem import FieldError, ProblemError


def localized(problem: ProblemError, language: str) -> ProblemError:
    """Return a problem with its texts in a language."""
    if language == ENGLISH:
        return problem
    errors = [(field, translate(message, language)) for field, message in problem.errors]
    # The detail of a problem of fields says what is wrong with the first ones.
    detail = _joined(errors) if problem.detail == _joined(problem.errors) else translate(problem.detail, language)
    return ProblemError(
        problem.status, problem.code, detail, errors=errors, headers=problem.headers, members=problem.members
    )


def _joined(errors: Iterable[FieldError]) -> str:
    return " ".join(f"{field}: {message}" for field, message in list(errors)[:5])
