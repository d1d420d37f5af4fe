"""Limits on documents: each attack is refused before it costs anything, and what is allowed is stated."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import pytest
from graphql import get_introspection_query, parse, validate

from server.graphql.documents import Documents
from server.graphql.errors import RequestRefusedError
from server.graphql.executor import Executor
from server.graphql.structure import Limits
from tests.support.graphql_world import SCHEMA

# Calls of functions, the same on every machine. Quadratic checks take many times as many.
MOST_CALLS = 50_000
EXECUTOR = Executor(SCHEMA)


@dataclass
class Calls:
    """A number of calls."""

    number: int = 0


@contextmanager
def counted_calls() -> Iterator[Calls]:
    """Count the calls of functions written in Python."""
    calls = Calls()

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        calls.number += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def _fragments(count: int, body: str) -> str:
    return " ".join(f"fragment F{number} on User {{ {body.replace('#', str(number + 1))} }}" for number in range(count))


def _nested(count: int) -> str:
    return "{ me { " + "best { " * count + "id" + " }" * (count + 2)


ATTACKS = {
    "aliases": ("{" + " ".join(f"a{n}: me {{ id }}" for n in range(10_000)) + "}", "document_too_large", "bytes"),
    "fewer aliases": ("{" + " ".join(f"a{n}:me{{id}}" for n in range(51)) + "}", "document_too_large", "51 aliases"),
    "aliases in fragments": (
        "{"
        + " ".join(f"...F{n}" for n in range(26))
        + "}"
        + " ".join(f"fragment F{n} on Query {{ a{n}: __typename b{n}: __typename }}" for n in range(26)),
        "document_too_large",
        "52 aliases",
    ),
    "circle": ("{ me { ...F0 } }" + _fragments(40, "id ...F#").replace("...F40", "...F0"), "fragment_cycle", "F0 → F1"),
    "own circle": ("{ me { ...F } } fragment F on User { id ...F }", "fragment_cycle", "F → F."),
    "depth": (_nested(14), "document_too_large", "16 levels deep"),
    "recursion": (_nested(300), "parse_failed", "nested too deeply"),
    "recursion of fragments": (
        "{ me { ...F0 } }" + _fragments(14, "best { ...F# }") + " fragment F14 on User { id }",
        "document_too_large",
        "16 levels deep",
    ),
    "multiplied fragments": (
        "{ me { ...F0 } }" + _fragments(45, "...F# ...F#") + " fragment F45 on User { id }",
        "document_too_large",
        "more than a million fields",
    ),
    "fragments": ("{ me { id } }" + _fragments(51, "id"), "document_too_large", "51 fragments"),
    "the same field": ("{ me {" + "name " * 900 + "} }", "document_too_large", "overlaps"),
    "the same field in fragments": (
        "{ me {" + " ".join(f"...F{n}" for n in range(50)) + "} }" + _fragments(50, "id name nick"),
        "document_too_large",
        "overlaps",
    ),
    "the same objects": ("{ me {" + "best { id } " * 240 + "} }", "document_too_large", "overlaps"),
    "directives": ("{ me { id" + " @include(if: true)" * 51 + "} }", "document_too_large", "51 directives"),
    "operations": (" ".join(f"query Q{n} {{ me {{ id }} }}" for n in range(11)), "document_too_large", "11 operations"),
    "fields of many operations": (
        " ".join(f"query Q{n} {{ me {{ ...F0 }} }}" for n in range(9))
        + _fragments(6, "allFriends { ...F# } best { ...F# }")
        + " fragment F6 on User { id name }",
        "document_too_large",
        "fields; at most 1000",
    ),
    "tokens": ("{ me {" + "id " * 1000 + "} }", "parse_failed", "1000 tokens"),
    "comments": ("{ me { id } }" + "#\n" * 5000, "parse_failed", "1000 tokens"),
    "a long string": ('{ user(id: "' + "x" * 20_000 + '") { id } }', "document_too_large", "bytes"),
    "nested lists": ("{ me { posts(matching: " + "[" * 450 + "]" * 450 + ") { id } } }", "parse_failed", "nested"),
    "unknown fields": ("{" + " ".join(f"x{n}" for n in range(900)) + "}", "validation_failed", "Cannot query field"),
    "unused variables": (
        "query(" + " ".join(f"$v{n}: Int" for n in range(240)) + ") { me { id } }",
        "validation_failed",
        "never used",
    ),
    "36,000 objects": (
        "{ users(first: 100) { allFriends(first: 60) { allFriends(first: 6) { name } } } }",
        "cost_exceeded",
        "costs 42100; at most 2000",
    ),
    "a long number": ("{ users(first: " + "9" * 5000 + ") { id } }", "cost_exceeded", "at most 2000"),
    "nested introspection": (
        "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }",
        "validation_failed",
        "introspection depth",
    ),
    "introspection many times": (
        "{" + " ".join(f"a{n}: __schema {{ types {{ fields {{ args {{ ...T }} ...F }} }} }}" for n in range(49)) + "}"
        " fragment T on __InputValue { type { ofType { ofType { ofType { ofType { name } } } } } }"
        " fragment F on __Field { type { ofType { ofType { ofType { ofType { name } } } } } }",
        "cost_exceeded",
        "at most 2000",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_little_work(name: str) -> None:
    """A hostile document is refused with its reason, after no more work than the check of a harmless one takes."""
    text, code, message = ATTACKS[name]
    with counted_calls() as calls, pytest.raises(RequestRefusedError, match=message) as refused:
        EXECUTOR.prepare(text)
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert calls.number < MOST_CALLS


def test_nothing_of_a_refused_document_is_kept() -> None:
    """The cache of documents has valid ones alone."""
    executor = Executor(SCHEMA)
    with pytest.raises(RequestRefusedError):
        executor.prepare("{ unknown }")
    assert executor.documents.known("{ unknown }") is None


def test_suggestions_are_not_computed() -> None:
    """A misspelt field is refused without the search for similar names, which takes long."""
    with pytest.raises(RequestRefusedError) as refused:
        Executor(SCHEMA).prepare("{ mee }")
    assert str(refused.value) == "Cannot query field 'mee' on type 'Query'."


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        pytest.param("{ __typename }", {}, 1, id="at least one"),
        pytest.param("{ me { id name tags } }", {}, 1, id="leaves are free"),
        pytest.param("{ users { id } }", {}, 2, id="default of the argument first"),
        pytest.param("{ users(first: 7) { id } }", {}, 7, id="a page"),
        pytest.param("{ users(first: 7) { best { id } } }", {}, 14, id="an object in each item"),
        pytest.param("{ users(first: 7) { friends(first: 5) { id } } }", {}, 7 + 35, id="a page in each item"),
        pytest.param("query($n: Int! = 4) { users(first: $n) { id } }", {}, 4, id="default of a variable"),
        pytest.param("query($n: Int!) { users(first: $n) { id } }", {"n": 9}, 9, id="variable"),
        pytest.param("query($n: Int!) { users(first: $n) { id } }", {"n": -9}, 1, id="negative"),
        pytest.param("{ node(id: 1) { ... on Post { related { id } } } }", {}, 1 + 20, id="a list without first"),
        pytest.param(
            "{ node(id: 1) { ... on Post { author { id } } ... on User { best { id } } } }", {}, 3, id="types"
        ),
        pytest.param("{ a: me { id } b: me { id } }", {}, 2, id="aliases"),
        pytest.param("{ me { id } me { name } ...F } fragment F on Query { me { nick } }", {}, 1, id="merged fields"),
        pytest.param("query($x: Boolean!) { me @skip(if: $x) { id best { id } } }", {"x": False}, 2, id="not skipped"),
        pytest.param("query($x: Boolean!) { me @skip(if: $x) { id best { id } } }", {"x": True}, 1, id="skipped"),
    ],
)
def test_cost(text: str, variables: dict[str, object], cost: int) -> None:
    """The cost is the number of objects that may be returned at most."""
    assert Executor(SCHEMA).prepare(text, variables).cost == cost


def test_introspection_is_allowed_and_counted() -> None:
    """Tools can read the schema, at a price."""
    assert 20 < Executor(SCHEMA).prepare(get_introspection_query()).cost < 500


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "to be provided"),
        ({"n": "many"}, "Int cannot represent"),
        ({"n": 2**40}, "32-bit"),
        ({"n": [[[[1]]]]}, "Int cannot represent"),
    ],
    ids=["missing", "text", "large", "nested"],
)
def test_variables_of_a_wrong_type(variables: dict[str, object], message: str) -> None:
    """Variables that do not fit their types refuse the request, before anything is executed."""
    with pytest.raises(RequestRefusedError, match=message) as refused:
        Executor(SCHEMA).prepare("query($n: Int!) { users(first: $n) { id } }", variables)
    assert refused.value.code == "invalid_variables"


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("query A { me { id } } query B { me { name } }", "B", True),
        ("query A { me { id } } query B { me { name } }", None, False),
        ("query A { me { id } }", "C", False),
        ("{ me { id } }", None, True),
        ("{ me { id } }", "A", False),
    ],
    ids=["named", "ambiguous", "unknown", "anonymous", "anonymous by name"],
)
def test_operations_are_found_by_name(text: str, name: str | None, found: bool) -> None:
    """A document with one operation needs no name."""
    executor = Executor(SCHEMA)
    if found:
        assert executor.prepare(text, operation_name=name).operation is not None
    else:
        with pytest.raises(RequestRefusedError) as refused:
            executor.prepare(text, operation_name=name)
        assert refused.value.code == "unknown_operation"


def test_documents_that_were_used_last_are_kept() -> None:
    """The cache is bounded by what the documents take, and gives up the one that was used longest ago."""
    executor = Executor(SCHEMA)
    documents = Documents(executor.schema, kept_bytes=20_000)
    texts = [f"{{ me {{ a{number}: name }} }}" for number in range(3)]  # 8,000 bytes each: 20 of text, and 2 fields
    first, second = documents.check(texts[0], Limits()), documents.check(texts[1], Limits())
    assert documents.known(texts[0]) is first
    documents.check(texts[2], Limits())
    assert documents.known(texts[0]) is first
    assert documents.known(texts[1]) is None
    assert documents.check(texts[1], Limits()) is not second


@pytest.mark.parametrize(
    "text",
    [
        "{ users(first: $n) { id } }",
        "query($n: Int) { me { id } }",
        "query($n: String) { users(first: $n) { id } }",
        "query($n: Int, $n: Int) { users(first: $n) { id } }",
        "query($n: User) { me { id } }",
        "query($n: Nothing) { me { id } }",
        "{ me { id } } fragment F on User { id }",
        "{ me { ...F } }",
        "{ me { ... on Nothing { id } } }",
        "{ me { ... on Post { id } } }",
        "{ me { ...F } } fragment F on User { id } fragment F on User { name }",
        "{ me { ...F } } fragment F on Timestamp { id }",
        "{ me { id @nothing } }",
        "{ me { id @skip(if: true) @skip(if: true) } }",
        "{ me { id @stream } }",
    ],
)
def test_the_rules_about_a_syntax_are_checked_where_it_is_used(text: str) -> None:
    """They are left out for a document without it, and for no other."""
    assert validate(EXECUTOR.schema.core, parse(text))
    with pytest.raises(RequestRefusedError) as refused:
        Executor(SCHEMA).prepare(text)
    assert refused.value.code == "validation_failed"


def test_every_plan_of_a_document_counts() -> None:
    """Plans, of which conditions make several, are made after the document was kept, but cannot exceed the bound."""
    executor = Executor(SCHEMA)
    documents = Documents(executor.schema, kept_bytes=60_000)
    plain, conditional = (
        "{ me { name nick } }",
        "query($x: Boolean!, $y: Boolean!) { me { name @skip(if: $x) nick @skip(if: $y) } }",
    )
    documents.check(plain, Limits())
    assert documents.known(plain)
    documents.check(conditional, Limits())
    assert documents.known(conditional)
    documents.check(conditional.replace("name", "id"), Limits())
    assert [documents.known(text) is None for text in (plain, conditional)] == [True, True]
