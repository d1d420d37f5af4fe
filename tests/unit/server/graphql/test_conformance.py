"""The compiled executor answers as graphql-core does: the same data, and errors at the same places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, execute, parse, validate
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.graphql.errors import FieldErrors
from server.graphql.executor import Executor
from server.graphql.structure import Limits
from tests.support.graphql_world import SCHEMA, World
from tests.unit.server.graphql.documents import Sample, documents

UNLIMITED = Limits(
    depth=40, fields=100_000, aliases=100_000, directives=100_000, overlaps=10**9, cost=10**12, tokens=10**6
)
EXECUTOR = Executor(SCHEMA, UNLIMITED)
CORE = EXECUTOR.schema.core
Place = tuple[str | int, ...]


async def expected(text: str, variables: dict[str, Any], world: World) -> tuple[Any, set[tuple[Place, str]]]:
    """Return graphql-core's data, and (path, code) of its errors."""
    found = execute(CORE, parse(text), context_value=world, variable_values=variables)
    result = found if isinstance(found, ExecutionResult) else await found
    assert isinstance(result, ExecutionResult)
    return result.data, {_coded(error) for error in result.errors or ()}


def _coded(error: GraphQLError) -> tuple[Place, str]:
    errors = FieldErrors()
    if error.message.startswith("Argument"):
        return tuple(error.path or ()), "invalid_argument"
    errors.add(error.original_error or error, error.path or (), ())
    return tuple(error.path or ()), errors.entries[0]["extensions"]["code"]


async def compiled(text: str, variables: dict[str, Any], world: World) -> tuple[Any, set[tuple[Place, str]]]:
    """Return our data, and (path, code) of our errors."""
    response = await EXECUTOR.execute(text, world, variables)
    errors = response.get("errors", [])
    return response.get("data"), {(tuple(each["path"]), each["extensions"]["code"]) for each in errors}


def null_places(data: Any, errors: set[tuple[Place, str]]) -> set[Place]:
    """Return the places that are null because of an error; two errors below one of them are alternatives."""
    places = set()
    for path, _ in errors:
        value, depth = data, 0
        while value is not None and depth < len(path):
            value, depth = value[path[depth]], depth + 1
        assert value is None, f"{path} has an error and a value"
        places.add(path[:depth])
    return places


async def assert_conforms(sample: Sample, seed: int) -> None:
    """Assert that both executors answer alike, whichever of two errors below one null they report."""
    data, errors = await compiled(sample.text, sample.variables, World(seed))
    wanted, wanted_errors = await expected(sample.text, sample.variables, World(seed))
    assert data == wanted
    assert list(_keys(data)) == list(_keys(wanted)), "the order of the fields differs"
    assert null_places(data, errors) == null_places(wanted, wanted_errors)
    _, every = await expected(sample.reporting_every_error, sample.variables, World(seed))
    assert errors <= every


def _keys(data: Any) -> Any:
    if isinstance(data, dict):
        yield list(data)
        for value in data.values():
            yield from _keys(value)
    elif isinstance(data, list):
        for value in data:
            yield from _keys(value)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the logs of masked errors out of the output."""
    with capture_logs():
        yield


@given(sample=documents(CORE), seed=st.integers(0, 400))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
async def test_generated_documents(sample: Sample, seed: int) -> None:
    """Documents with every feature, over data with nulls and errors at any place."""
    assume(not validate(CORE, parse(sample.text)))
    await assert_conforms(sample, seed)


@pytest.mark.parametrize("seed", [0, 1, 3, 8, 21])
@pytest.mark.parametrize(
    ("header", "body"),
    [
        pytest.param("query Op", "{ me { id name nick tags matrix mood since active count } }", id="leaves"),
        pytest.param("query Op", "{ a: me { x: name } b: me { x: nick } }", id="aliases"),
        pytest.param(
            "query Op", "{ me { best { id } best { name } ...F } } fragment F on User { best { nick } }", id="merged"
        ),
        pytest.param(
            "query Op", "{ users(first: 9) { name allFriends { id name strictBest { name } } } }", id="non-null lists"
        ),
        pytest.param(
            "query Op", "{ strictUsers(first: 9) { name allFriends { name best { name } } } }", id="strict lists"
        ),
        pytest.param(
            "query Op",
            "{ me { posts(first: 6) { title media { __typename ... on Image { url width } ... on Video "
            "{ seconds } } } } }",
            id="unions",
        ),
        pytest.param(
            "query Op",
            "{ node(id: 4) { id ... on Post { related { id __typename ... on User { name } } } ... on "
            "Node { again: id } } }",
            id="interfaces",
        ),
        pytest.param(
            "query Op($n: Int!, $m: Mood)",
            "{ me { posts(first: $n, matching: {least: $n}) { score(scale: $n, mood: WILD) other: score "
            "} friends(first: $n) { mood } } node(id: 3) @include(if: true) { id } unused: user(id: 1) "
            "{ posts { score(mood: $m) } } }",
            id="arguments",
        ),
        pytest.param(
            "query Op($yes: Boolean!)",
            "{ me { id @skip(if: $yes) name @include(if: $yes) ... @include(if: $yes) { nick } ...F "
            "@skip(if: $yes) } } fragment F on User { count }",
            id="conditions",
        ),
        pytest.param(
            "mutation Op",
            '{ rename(name: "a") { name best { name } } b: rename(name: "b", fail: true) { id } c: '
            'strictRename(name: "c", fail: true) { id } d: rename(name: "d") { id } }',
            id="mutations",
        ),
        pytest.param("query Op", "{ me { } users { __typename } }", id="empty selections"),
    ],
)
async def test_documents(header: str, body: str, seed: int) -> None:
    """Each feature by itself."""
    await assert_conforms(Sample(header, body, {"n": 3, "yes": True, "m": None}), seed)


@pytest.mark.parametrize("yes", [True, False])
async def test_conditions_are_decided_by_each_request(yes: bool) -> None:
    """The plan of one request is not that of the next with other values of its conditions."""
    text = "query Op($yes: Boolean!) { me { id @include(if: $yes) name @skip(if: $yes) } }"
    data, _ = await compiled(text, {"yes": yes}, World())
    assert data == {"me": {"id": "U-7"} if yes else {"name": "user 7"}}


async def test_one_call_for_each_level() -> None:
    """A list of lists costs one call for each level, also where several fields and fragments ask for the same."""
    world = World()
    text = (
        "{ users(first: 5) { friends { best { id } } allFriends { best { id } } } me { allFriends { best { id } } } }"
    )
    await compiled(text, {}, world)
    assert world.calls == [("friends", 11), ("best", 22)]


async def test_a_mutation_runs_its_fields_one_after_the_other() -> None:
    """Each field sees what the one before it has done, and none runs after an error that nulls the response."""
    world = World()
    text = (
        'mutation { a: rename(name: "a") { id } b: strictRename(name: "b", fail: true) { id } c: '
        'rename(name: "c") { id } }'
    )
    data, errors = await compiled(text, {}, world)
    assert (data, world.names, errors) == (None, ["a", "b"], {(("b",), "user_not_found")})


async def test_introspection_beside_other_fields() -> None:
    """The library answers introspection; the other fields of the document are ours."""
    text = (
        "query Op($t: String!) { me { id } __schema { queryType { name } } t: __type(name: $t) { "
        "...T } } fragment T on __Type { kind }"
    )
    data, errors = await compiled(text, {"t": "Mood"}, World())
    assert data == {"me": {"id": "U-7"}, "__schema": {"queryType": {"name": "Query"}}, "t": {"kind": "ENUM"}}
    assert list(data) == ["me", "__schema", "t"]
    assert not errors


async def test_unexpected_errors_are_masked_and_logged_once() -> None:
    """The error of a batch is that of all its parents, is logged once, and says nothing about its cause."""
    with capture_logs() as logs:
        response = await EXECUTOR.execute("{ users(first: 3) { brokenBatch } }", World())
    assert [error["path"] for error in response["errors"]] == [["users", place, "brokenBatch"] for place in range(3)]
    assert {error["extensions"]["code"] for error in response["errors"]} == {"internal_error"}
    assert "secret" not in str(response)
    assert [entry["event"] for entry in logs] == ["graphql_field_failed"]


async def test_problems_keep_their_code_and_fields() -> None:
    """An error of the product has the code, the status and the fields of the REST API's problem."""
    response = await EXECUTOR.execute('mutation { rename(name: "taken") { id } }', World())
    (error,) = response["errors"]
    assert error["message"] == "The name is taken."
    assert error["locations"] == [{"line": 1, "column": 12}]
    assert error["extensions"] == {
        "code": "name_taken",
        "status": 409,
        "errors": [{"field": "name", "message": "The name is taken."}],
    }
