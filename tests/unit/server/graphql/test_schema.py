"""The schema of the API: its text in the documentation, its descriptions, and the endpoints whose rules it has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    BreakingChangeType,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
)

from server.api.endpoint_scopes import SCOPES
from server.composition.graphql import make_schema, schema_text
from server.edge.activity_responses import SHOWN_KINDS
from server.graphql.executor import Executor
from server.graphql.resolution.node_ids import NodeKind
from server.graphql.resolution.rules import endpoint_of
from server.graphql.schema_types import field_options
from tests.support.documents import ROOT

FILE = ROOT / "docs" / "schema.graphql"
EXECUTOR = Executor(make_schema())
CORE = EXECUTOR.schema.core
# Roots of fields that are read by themselves, and look-ups of every kind of object, which apply the rules of each.
_WITHOUT_ENDPOINT = {"Query.viewer", "Query.trending", "Query.node", "Query.nodes"}
_MEMBERS = GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType


def _types() -> Iterator[Any]:
    return (kind for name, kind in CORE.type_map.items() if not name.startswith("__"))


def test_no_change_of_the_schema_breaks_clients() -> None:
    """A field that is removed or changes its type breaks clients: deprecate it, and add another one beside it.

    The comparison is with the text in the documentation, which a change that breaks clients has to replace.
    """
    breaking = find_breaking_changes(build_schema(FILE.read_text()), CORE)
    assert [change.description for change in breaking] == []


def test_the_text_in_the_documentation_is_current() -> None:
    """The file is what the service returns; write it anew with `schema_text()` after a change."""
    assert FILE.read_text() == schema_text()


@pytest.mark.parametrize(
    ("text", "replacement", "kind"),
    [
        ('  """The number of likes."""\n  likeCount: Int!\n', "", BreakingChangeType.FIELD_REMOVED),
        ("  caption: String!\n", "  caption: String\n", BreakingChangeType.FIELD_CHANGED_KIND),
        ("  photo(\n", "  picture(\n", BreakingChangeType.FIELD_REMOVED),
    ],
    ids=["removed", "nullable", "renamed"],
)
def test_what_breaks_clients_is_noticed(text: str, replacement: str, kind: BreakingChangeType) -> None:
    """A removed field, one that may be null now, and a renamed one are found by the comparison."""
    current = FILE.read_text()
    assert text in current
    changed = build_schema(current.replace(text, replacement))
    assert kind in {change.type for change in find_breaking_changes(CORE, changed)}


def test_everything_is_described() -> None:
    """Each type, field, value and field of an input object has a description, which ends with a full stop."""
    missing = []
    for kind in _types():
        missing += [] if kind.description else [kind.name]
        members = kind.fields if isinstance(kind, _MEMBERS) else {}
        members = kind.values if isinstance(kind, GraphQLEnumType) else members
        for name, member in members.items():
            missing += [] if (member.description or "").endswith(".") else [f"{kind.name}.{name}"]
    assert missing == []


def test_fields_name_endpoints_of_the_api() -> None:
    """Each field of a root or the viewer has the rules of an endpoint, and each endpoint that is named exists."""
    named, without = set(), set()
    for kind in _types():
        if not isinstance(kind, GraphQLObjectType):
            continue
        for name, field in kind.fields.items():
            resolve = field_options(field).resolve
            endpoint = None if resolve is None else endpoint_of(resolve)
            if endpoint is not None:
                named.add(endpoint)
            elif kind.name in {"Query", "Viewer", "Mutation"}:
                without.add(f"{kind.name}.{name}")
    assert without == _WITHOUT_ENDPOINT
    assert named - SCOPES.keys() == set()


def test_every_field_that_reads_has_the_rules_of_an_endpoint() -> None:
    """A field with I/O is for viewers who may use an endpoint: applications need its scope."""
    bare = {
        f"{kind.name}.{name}"
        for kind in _types()
        if isinstance(kind, GraphQLObjectType) and kind.name not in {"Query", "Mutation"}
        for name, field in kind.fields.items()
        if (resolve := field_options(field).resolve) is not None
        and inspect.iscoroutinefunction(inspect.unwrap(resolve))
        and endpoint_of(resolve) is None
    }
    assert bare == set()


def test_enums_have_what_users_read() -> None:
    """Kinds of notifications are those under which users read them; each kind of id belongs to a type."""
    kinds = CORE.type_map["NotificationKind"]
    assert isinstance(kinds, GraphQLEnumType)
    assert set(kinds.values) == {kind.name for kind in SHOWN_KINDS}
    assert {kind.type_name for kind in NodeKind} <= CORE.type_map.keys()
    assert len({kind.letter for kind in NodeKind}) == len(NodeKind)


@pytest.mark.parametrize(
    ("text", "variables", "cost"),
    [
        (
            '{ nodes(ids: ["P-1", "P-2", "P-3"]) { ... on Photo { comments(first: 5) { nodes { id } } } } }',
            {},
            3 + 3 + 15,
        ),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["P-1"] * 90}, 90),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": "P-1"}, 1),
        ('{ nodes(ids: "P-1") { id } }', {}, 1),
        ("query($id: ID!) { nodes(ids: [$id, $id]) { id } }", {"id": "P-1"}, 2),
    ],
    ids=["literal", "variable", "one for a list", "literal one for a list", "variables in a list"],
)
def test_the_cost_of_nodes_is_the_number_of_their_ids(text: str, variables: dict[str, Any], cost: int) -> None:
    """As many objects are returned as there are ids."""
    assert EXECUTOR.prepare(text, variables).cost == cost
