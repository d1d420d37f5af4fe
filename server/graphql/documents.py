"""Documents that passed every check, kept by their text.

The checks run from the cheapest to the most expensive: the length, the tokens, the form, the number of comparisons of
overlapping fields, the cost where it does not depend on variables, validation without these comparisons, and then the
comparisons themselves. So no document takes long, whatever it was made for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from graphql import (
    ASTValidationRule,
    DeferStreamDirectiveLabel,
    DeferStreamDirectiveOnRootField,
    DeferStreamDirectiveOnValidOperationsRule,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentsOnCompositeTypesRule,
    GraphQLError,
    KnownDirectivesRule,
    KnownFragmentNamesRule,
    KnownTypeNamesRule,
    MaxIntrospectionDepthRule,
    NoFragmentCyclesRule,
    NoUndefinedVariablesRule,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    PossibleFragmentSpreadsRule,
    SingleFieldSubscriptionsRule,
    StreamDirectiveOnListField,
    UniqueDirectivesPerLocationRule,
    UniqueFragmentNamesRule,
    UniqueVariableNamesRule,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
    parse,
    specified_rules,
    validate,
)

from server.graphql.cost import check_cost, cost_tree, total_cost
from server.graphql.errors import RequestRefusedError
from server.graphql.operations import Operation
from server.graphql.outline import Branch, Outliner
from server.graphql.schema_types import Schema
from server.graphql.structure import Limits, check_structure, exceeded

KEPT_BYTES = 64 * 1024 * 1024  # estimate of what all kept documents take
_BYTES_OF_TEXT = 200  # that the nodes of one byte of text take
_BYTES_OF_FIELD = 1000  # that a field takes in a plan

# Validation asks each rule about each node. A document without the marks of a syntax cannot break the rules about it.
_RULES_OF_SYNTAX: Sequence[tuple[tuple[str, ...], set[type[ASTValidationRule]]]] = (
    (
        ("...", "fragment"),
        {
            FragmentsOnCompositeTypesRule,
            KnownFragmentNamesRule,
            NoFragmentCyclesRule,
            NoUnusedFragmentsRule,
            PossibleFragmentSpreadsRule,
            UniqueFragmentNamesRule,
        },
    ),
    (
        ("$",),
        {
            NoUndefinedVariablesRule,
            NoUnusedVariablesRule,
            UniqueVariableNamesRule,
            VariablesAreInputTypesRule,
            VariablesInAllowedPositionRule,
        },
    ),
    (("...", "fragment", "$"), {KnownTypeNamesRule}),
    (
        ("@",),
        {
            DeferStreamDirectiveLabel,
            DeferStreamDirectiveOnRootField,
            DeferStreamDirectiveOnValidOperationsRule,
            KnownDirectivesRule,
            StreamDirectiveOnListField,
            UniqueDirectivesPerLocationRule,
        },
    ),
    (("__",), {MaxIntrospectionDepthRule}),
    (("subscription",), {SingleFieldSubscriptionsRule}),
)
_MAX_ERRORS = 5


class Document:
    """A valid document: its operations by name."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    @property
    def size(self) -> int:
        """Return how many compiled fields the operations keep at most."""
        return sum(operation.size for operation in self._operations.values())

    def operation(self, name: str | None) -> Operation:
        """Return the operation of this name, or the only one; raise `RequestRefusedError` where there is none."""
        if name is None:
            if len(self._operations) == 1:
                return next(iter(self._operations.values()))
            message = "The document has several operations; say with operationName which one to execute."
            raise RequestRefusedError("unknown_operation", [message])
        operation = self._operations.get(name)
        if operation is None:
            raise RequestRefusedError("unknown_operation", ["The document has no operation of this operationName."])
        return operation


class Documents:
    """Checks documents, and keeps those that were used last."""

    def __init__(self, schema: Schema, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._schema = schema
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._bytes = 0

    def known(self, text: str) -> Document | None:
        """Return a document that was checked before and is still kept."""
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
        return document

    def check(self, text: str, limits: Limits) -> Document:
        """Return a document; raise `RequestRefusedError` where it exceeds a limit or is not valid."""
        document = self.known(text)
        if document is None:
            document = Document(_checked(text, self._schema, limits))
            self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._kept[text] = document
        self._bytes += _estimate(text, document)
        while self._bytes > self._kept_bytes:
            self._bytes -= _estimate(*self._kept.popitem(last=False))


def _estimate(text: str, document: Document) -> int:
    # Plans are made later, one for each combination of conditions: all of them count from the beginning.
    return len(text) * _BYTES_OF_TEXT + document.size * _BYTES_OF_FIELD


def _checked(text: str, schema: Schema, limits: Limits) -> dict[str, Operation]:
    size = len(text.encode(errors="surrogatepass"))
    if size > limits.document_bytes:
        message = f"The document has {size} bytes; at most {limits.document_bytes} are allowed."
        raise RequestRefusedError("document_too_large", [message])
    try:
        parsed = parse(text, max_tokens=limits.tokens)
    except GraphQLError as error:
        raise RequestRefusedError("parse_failed", [error]) from None
    check_structure(parsed, limits)
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    operations = [node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)]
    outliner = Outliner(schema.core, fragments)
    outlines = [outliner.outline(operation) for operation in operations]
    pairs = max((_pairs(outline.values()) for outline in outlines), default=0)
    if pairs > limits.overlaps:
        raise exceeded("overlaps", pairs, limits.overlaps)
    costs = [cost_tree(outline, schema.core) for outline in outlines]
    if "$" not in text:
        # Validation takes far longer. That of the operation that is chosen is checked again.
        check_cost(min((total_cost(cost, {}) for cost in costs), default=0), limits)
    _validate(schema, parsed, _rules_for(text))
    if pairs:
        _validate(schema, parsed, [OverlappingFieldsCanBeMergedRule])
    return {
        node.name.value if node.name else "": Operation(schema, node, fragments, outline, cost)
        for node, outline, cost in zip(operations, outlines, costs, strict=True)
    }


def _rules_for(text: str) -> list[type[ASTValidationRule]]:
    """Return the rules that a document may break, but for the comparison of overlapping fields."""
    met: set[type[ASTValidationRule]] = {OverlappingFieldsCanBeMergedRule}
    for marks, rules in _RULES_OF_SYNTAX:
        if not any(mark in text for mark in marks):
            met |= rules
    return [rule for rule in specified_rules if rule not in met]


def _validate(schema: Schema, parsed: DocumentNode, rules: Sequence[type[ASTValidationRule]]) -> None:
    errors = validate(schema.core, parsed, rules, max_errors=_MAX_ERRORS, hide_suggestions=True)
    if errors:
        raise RequestRefusedError("validation_failed", errors)


def _pairs(branches: Iterable[Branch]) -> int:
    """Return the number of pairs of fields that have one response name at one place."""
    total = 0
    for branch in branches:
        count = len(branch.entries)
        total += count * (count - 1) // 2 + _pairs(branch.children.values())
    return total
