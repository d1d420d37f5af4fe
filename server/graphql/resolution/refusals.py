"""Refusals of mutations: problems of the REST API, as errors in the payload."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strawberry.utils.str_converters import to_camel_case

from server.edge.problem import ProblemError
from server.edge.problems import problem_of
from server.graphql.fields import leaf
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type


@object_type
class UserError:
    """Why a mutation was refused."""

    code: str = leaf(description="The stable code of the problem, as in the REST API.")
    field: str | None = leaf(description="The argument that is not valid, if it is one.")
    message: str = leaf(description="What is wrong, and how to mend it.")


def renamed(problem: ProblemError, names: Mapping[str, str] = MappingProxyType({})) -> ProblemError:
    """Return a problem with the fields named as arguments: `names` of others, and camel case."""
    errors = [(_argument(field, names), message) for field, message in problem.errors]
    detail = " ".join(f"{field}: {message}" for field, message in errors[:5]) or problem.detail
    return ProblemError(
        problem.status, problem.code, detail, errors=errors, headers=problem.headers, members=problem.members
    )


def refusal(error: Exception, context: RequestContext, names: Mapping[str, str]) -> Source:
    """Return the payload of a mutation that was refused; raise any error that is none of the client's to expect.

    Missing credentials and what is out of order at the server are errors of the whole response. The header fields of
    a used-up rate limit are added to the response's.
    """
    problem = problem_of(error)
    if problem is None or problem.status == 401 or problem.status >= 500:
        raise error
    problem = renamed(problem, names)
    context.request.report_headers(problem.headers)
    errors = problem.errors or ((None, problem.detail),)
    return {"errors": [{"code": problem.code, "field": field, "message": message} for field, message in errors]}


def _argument(field: str, names: Mapping[str, str]) -> str:
    first, *rest = field.split(".")
    return ".".join(to_camel_case(part) for part in (names.get(first, first), *rest))
