"""Limits on the form of a document, checked before validation, which takes far longer.

Each fragment is measured once, wherever it is used, so the check takes time in proportion to the document even where
fragments multiply each other. The schema is not needed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from server.graphql.errors import RequestRefusedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a document may have; fragments count wherever they are used.

    All but `cost` are those of the whole document, so neither its check nor what is kept of it grows with the number of
    operations. `depth` is the number of fields from a root field down to a leaf. `overlaps` are the pairs of fields
    that have one response name at one place, which validation compares. `cost` is that of `server.graphql.cost`.
    """

    document_bytes: int = 16 * 1024
    variables_bytes: int = 32 * 1024
    tokens: int = 1000
    operations: int = 10
    fragments: int = 50
    depth: int = 15
    fields: int = 1000
    aliases: int = 50
    directives: int = 50
    overlaps: int = 2000
    cost: int = 2000


def trusted_limits(limits: Limits) -> Limits:
    """Return the limits for documents of the operator: only what follows from mistakes is refused."""
    return replace(
        limits,
        document_bytes=256 * 1024,
        tokens=20_000,
        operations=100,
        fragments=500,
        fields=10_000,
        aliases=1_000,
        directives=1_000,
        overlaps=20_000,
    )


@dataclass(slots=True)
class Size:
    """What a selection set contains, its fragments included."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    overlaps: int = 0

    def add(self, other: Size, *, below: int = 0) -> None:
        """Add another selection set's contents, which begin `below` levels further down."""
        self.depth = max(self.depth, other.depth + below)
        self.fields += other.fields
        self.aliases += other.aliases
        self.directives += other.directives
        self.overlaps += other.overlaps


def check_structure(document: DocumentNode, limits: Limits) -> None:
    """Raise `RequestRefusedError` where a document exceeds a limit, or where its fragments form a cycle."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) > limits.operations:
        raise exceeded("operations", len(operations), limits.operations)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    if len(fragments) > limits.fragments:
        raise exceeded("fragments", len(fragments), limits.fragments)
    measure = _Measure(fragments)
    for fragment in fragments:
        # Also those that are not used: validation visits them.
        _check(measure.fragment(fragment), limits)
    whole = Size()
    for operation in operations:
        whole.add(measure.selections(operation.selection_set))
    _check(whole, limits)


def _check(size: Size, limits: Limits) -> None:
    for what in ("depth", "fields", "aliases", "directives", "overlaps"):
        found, limit = getattr(size, what), getattr(limits, what)
        if found > limit:
            raise exceeded(what, found, limit)


def exceeded(what: str, found: int, limit: int) -> RequestRefusedError:
    """Return the error for a limit that is exceeded."""
    # A count that fragments multiply may have more digits than anyone reads.
    count = str(found) if found < 1_000_000 else "more than a million"
    if what == "depth":
        message = f"The document is {count} levels deep; at most {limit} are allowed."
    else:
        message = f"The document has {count} {what}; at most {limit} are allowed."
    return RequestRefusedError("document_too_large", [message])


class _Measure:
    """Sizes of selection sets, each fragment measured once."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._sizes: dict[str, Size] = {}
        self._open: list[str] = []

    def fragment(self, name: str) -> Size:
        """Return the size of a fragment, that of an unknown one is zero; raise where it contains itself."""
        found = self._sizes.get(name)
        if found is not None:
            return found
        if name in self._open:
            circle = " → ".join((*self._open[self._open.index(name) :], name))
            raise RequestRefusedError("fragment_cycle", [f"A fragment must not contain itself: {circle}."])
        definition = self._fragments.get(name)
        if definition is None:
            return Size()
        self._open.append(name)
        size = self.selections(definition.selection_set)
        self._open.pop()
        self._sizes[name] = size
        return size

    def selections(self, selections: SelectionSetNode) -> Size:
        """Return the size of a selection set."""
        size = Size()
        names: Counter[str] = Counter()
        for node in selections.selections:
            size.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                size.fields += 1
                size.aliases += node.alias is not None
                name = (node.alias or node.name).value
                size.overlaps += names[name]  # one pair with each field of this name before
                names[name] += 1
                size.depth = max(size.depth, 1)
                if node.selection_set is not None:
                    size.add(self.selections(node.selection_set), below=1)
            elif isinstance(node, InlineFragmentNode):
                size.add(self.selections(node.selection_set))
            elif isinstance(node, FragmentSpreadNode):
                size.add(self.fragment(node.name.value))
        return size
