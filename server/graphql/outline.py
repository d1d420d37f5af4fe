"""Outline of an operation: its fields by response name, with fragments merged in, whatever their type conditions.

The outline is what the check of overlapping fields and the cost are computed from. It has at most as many entries as
`Limits.fields` allows, because fragments were counted before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

Fragments = Mapping[str, FragmentDefinitionNode]


@dataclass(frozen=True, slots=True)
class Entry:
    """One selection of a field: its node, the type it is selected on, its definition, and the conditions on it."""

    node: FieldNode
    parent: GraphQLNamedType
    definition: GraphQLField
    conditions: tuple[DirectiveNode, ...]


@dataclass(slots=True)
class Branch:
    """Everything that is selected under one response name at one place of the response."""

    entries: list[Entry] = field(default_factory=list)
    children: dict[str, Branch] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the number of entries here and below."""
        return len(self.entries) + sum(branch.size for branch in self.children.values())


class Outliner:
    """Outlines of the operations of a document, without what the schema or the document does not define."""

    def __init__(self, schema: GraphQLSchema, fragments: Fragments) -> None:
        self._schema = schema
        self._fragments = fragments

    def outline(self, operation: OperationDefinitionNode) -> dict[str, Branch]:
        """Return the branches of an operation's root by response name."""
        root = self._schema.get_root_type(operation.operation)
        branches: dict[str, Branch] = {}
        if root is not None:
            self._collect(operation.selection_set, root, (), branches, set())
            self._descend(branches.values())
        return branches

    def _descend(self, branches: Iterable[Branch]) -> None:
        for branch in branches:
            visited: set[tuple[str, int]] = set()
            for entry in branch.entries:
                selections = entry.node.selection_set
                if selections is not None:
                    kind = get_named_type(entry.definition.type)
                    self._collect(selections, kind, entry.conditions, branch.children, visited)
            self._descend(branch.children.values())

    def _collect(
        self,
        selections: SelectionSetNode,
        parent: GraphQLNamedType,
        conditions: tuple[DirectiveNode, ...],
        branches: dict[str, Branch],
        visited: set[tuple[str, int]],
    ) -> None:
        for node in selections.selections:
            added = (*conditions, *node.directives) if node.directives else conditions
            if isinstance(node, FieldNode):
                definition = self._definition(parent, node.name.value)
                if definition is not None:
                    name = node.alias.value if node.alias else node.name.value
                    branch = branches.get(name)
                    if branch is None:
                        branch = branches[name] = Branch()
                    branch.entries.append(Entry(node, parent, definition, added))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                found = parent if condition is None else self._schema.type_map.get(condition.name.value)
                if found is not None:
                    self._collect(node.selection_set, found, added, branches, visited)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments.get(node.name.value)
                kind = None if fragment is None else self._schema.type_map.get(fragment.type_condition.name.value)
                # A fragment under the same conditions adds nothing a second time.
                key = node.name.value, hash(tuple(map(id, added)))
                if fragment is not None and kind is not None and key not in visited:
                    visited.add(key)
                    self._collect(fragment.selection_set, kind, added, branches, visited)

    def _definition(self, parent: GraphQLNamedType, name: str) -> GraphQLField | None:
        if isinstance(parent, GraphQLObjectType) or name == "__typename":
            return self._schema.get_field(parent, name)  # type: ignore[arg-type]
        fields = getattr(parent, "fields", None)
        return None if fields is None else fields.get(name)
