"""Operations of checked documents: their variables, their cost and their plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import FragmentDefinitionNode, OperationDefinitionNode, OperationType, get_variable_values
from graphql.execution.values import VariableValues

from server.graphql.conditions import condition_variables
from server.graphql.cost import CostNode, total_cost
from server.graphql.errors import RequestRefusedError
from server.graphql.outline import Branch
from server.graphql.plan import Compiler, Plan
from server.graphql.schema_types import Schema

_PLANS = 16  # of one operation, by the values of the variables that decide which selections take part
_MAX_ERRORS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedOperation:
    """An operation with the variables of one request; `raw` are the variables as the client sent them."""

    operation: Operation
    plan: Plan
    variables: VariableValues
    raw: Mapping[str, Any]
    cost: int


class Operation:
    """An operation of a valid document."""

    def __init__(
        self,
        schema: Schema,
        node: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        branches: Mapping[str, Branch],
        cost: Sequence[CostNode],
    ) -> None:
        self.node = node
        self.fragments = fragments
        self._schema = schema
        self._cost = cost
        self._fields = sum(branch.size for branch in branches.values())
        self._conditions = sorted(condition_variables([node, *fragments.values()]) & _declared(node))
        self._plans: OrderedDict[tuple[bool, ...], Plan] = OrderedDict()
        self._without_variables: PreparedOperation | None = None

    @property
    def kind(self) -> OperationType:
        """Return whether this is a query, a mutation or a subscription."""
        return self.node.operation

    @property
    def size(self) -> int:
        """Return how many compiled fields this operation keeps at most, in its cost and in all its plans."""
        return self._fields * (1 + min(_PLANS, 1 << len(self._conditions)))

    def prepare(self, raw: Mapping[str, Any]) -> PreparedOperation:
        """Return the operation with variables; raise `RequestRefusedError` where they do not fit their types."""
        definitions = self.node.variable_definitions or ()
        if not definitions:
            if self._without_variables is None:
                self._without_variables = self._prepared(VariableValues({}, {}), {})
            return self._without_variables
        variables = get_variable_values(
            self._schema.core, definitions, dict(raw), max_errors=_MAX_ERRORS, hide_suggestions=True
        )
        if isinstance(variables, list):
            raise RequestRefusedError("invalid_variables", variables)
        return self._prepared(variables, raw)

    def _prepared(self, variables: VariableValues, raw: Mapping[str, Any]) -> PreparedOperation:
        return PreparedOperation(
            operation=self,
            plan=self._plan(variables.coerced),
            variables=variables,
            raw=raw,
            cost=total_cost(self._cost, variables.coerced),
        )

    def _plan(self, variables: Mapping[str, Any]) -> Plan:
        conditions = {name: variables.get(name) for name in self._conditions}
        for name, value in conditions.items():
            if value is None:
                raise RequestRefusedError("invalid_variables", [f"Variable '${name}' must be true or false."])
        key = tuple(map(bool, conditions.values()))
        plan = self._plans.get(key)
        if plan is None:
            plan = Compiler(self._schema, self.fragments, conditions).plan(self.node)
            self._plans[key] = plan
            if len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        return plan


def _declared(node: OperationDefinitionNode) -> set[str]:
    return {definition.variable.name.value for definition in node.variable_definitions or ()}
