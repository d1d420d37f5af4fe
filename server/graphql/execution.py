"""Execute a plan level by level: every field is completed for all objects of a level, every batch resolved at once.

The response's objects exist before their fields are known, filled with nulls. An error is recorded with its path, and
the null of a field that cannot be null moves up to the nearest place that can be (section 6.4.4 of the specification).
What was cut off that way is still resolved with its level, but neither its values nor its errors are in the response.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from graphql.execution.values import VariableValues

from server.graphql.columns import Children, Failure, Trail
from server.graphql.errors import ArgumentError, FieldErrors
from server.graphql.fields import BatchFunction, ResolverContext, Results, one_each, read
from server.graphql.plan import Fetch, Plan, Selection, Step

READS_TOGETHER = 4  # of one operation: each usually takes a connection to the database, of which others need some


class Location(NamedTuple):
    """Place of an object: the index of its parent in the parent's group, and the indexes inside the field's value."""

    parent: int
    trail: Trail


class Group:
    """Objects of one type that are the values of one field, for all parents of a level."""

    def __init__(self, parent: Group | None, step: Step | None, children: Children) -> None:
        self.parent = parent
        self.step = step
        self.selection: Selection = children.selection
        self.sources = children.sources
        self.targets = children.targets
        self.made = children.made
        self._locations: dict[int, Location] | None = None

    def location(self, index: int) -> Location | None:
        """Return the place of an object, or None where it is in the response no more."""
        if self._locations is None:
            # Made for the first error of a group, of which most responses have none.
            self._locations = self._find()
        found = self._locations.get(id(self.targets[index]))
        if found is None or self.parent is None or self.step is None:
            return None
        value = self.parent.targets[found.parent][self.step.name]
        return found if _inside(value, found.trail) is self.targets[index] else None

    def _find(self) -> dict[int, Location]:
        locations: dict[int, Location] = {}
        if self.parent is not None and self.step is not None:
            for index, target in enumerate(self.parent.targets):
                _note(target[self.step.name], index, (), locations)
        return locations


class _Call(NamedTuple):
    """One call of a resolver, for the groups that need it with the same arguments."""

    resolve: BatchFunction
    arguments: Mapping[str, Any]
    uses: list[tuple[Group, Fetch]]

    @property
    def parents(self) -> Sequence[Any]:
        """Return the parents of all groups."""
        if len(self.uses) == 1:
            return self.uses[0][0].sources
        return [source for group, _ in self.uses for source in group.sources]


class Execution:
    """One execution of a plan; `errors` are the entries of the response."""

    def __init__(self, plan: Plan, context: ResolverContext, variables: VariableValues) -> None:
        self._plan = plan
        self._context = context
        self._variables = variables
        self._errors = FieldErrors()
        self._pending: list[tuple[Group, Fetch]] = []
        self._null_root = False
        self._together = asyncio.Semaphore(READS_TOGETHER)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Return the entries of the response's `errors`."""
        return self._errors.entries

    async def run(self, source: Any = None) -> dict[str, Any] | None:
        """Return the response's `data`; `source` is the value that root fields are resolved for."""
        selection = self._plan.root
        target = selection.template.copy()
        root = Group(None, None, Children(selection, [source], [target]))
        if self._plan.serial:
            for fetch in selection.fetches:
                self._pending.append((root, fetch))
                await self._resolve_pending()
                if self._null_root:
                    break
        else:
            self._enter(root)
            await self._resolve_pending()
        return None if self._null_root else target

    def _enter(self, group: Group) -> None:
        """Fill what is read from the objects of a group; their batch fields are left for the next level."""
        selection = group.selection
        made = group.made or _make(group)
        for step in selection.late_reads if made else selection.reads:
            self._fill(group, step, _read_all(group.sources, step.key))
        self._pending += [(group, fetch) for fetch in (selection.late_fetches if made else selection.fetches)]

    async def _resolve_pending(self) -> None:
        while self._pending:
            pending, self._pending = self._pending, []
            calls = list(self._calls(pending))
            for each, found in zip(calls, await self._all_results(calls), strict=True):
                start = 0
                for group, fetch in each.uses:
                    end = start + len(group.sources)
                    self._fill(group, fetch, found[start:end])
                    start = end

    def _calls(self, pending: Iterable[tuple[Group, Fetch]]) -> Iterable[_Call]:
        calls: dict[Any, _Call] = {}
        for group, fetch in pending:
            try:
                arguments = fetch.arguments.values(self._variables)
            except ArgumentError as error:
                self._fill(group, fetch, [error] * len(group.sources))
                continue
            key = fetch.resolve, fetch.arguments.key(arguments)
            if key not in calls:
                calls[key] = _Call(fetch.resolve, arguments, [])
            calls[key].uses.append((group, fetch))
        return calls.values()

    async def _all_results(self, calls: Sequence[_Call]) -> list[Sequence[Any]]:
        """Return the results of each call. Resolvers without I/O are called in place, the others concurrently."""
        results: list[Sequence[Any]] = []
        waiting: list[tuple[int, Awaitable[Sequence[Any]]]] = []
        for index, each in enumerate(calls):
            parents = each.parents
            try:
                found = each.resolve(parents, self._context, **each.arguments)
                if inspect.isawaitable(found):
                    waiting.append((index, self._awaited(each.resolve, parents, found)))
                    found = ()
                else:
                    found = one_each(each.resolve, parents, found)
            except Exception as error:  # noqa: BLE001 - it is the error of each parent's field
                found = [error] * len(parents)
            results.append(found)
        if len(waiting) == 1:
            index, only = waiting[0]
            results[index] = await only
        elif waiting:
            for (index, _), found in zip(waiting, await asyncio.gather(*(each for _, each in waiting)), strict=True):
                results[index] = found
        return results

    async def _awaited(
        self, resolve: BatchFunction, parents: Sequence[Any], found: Awaitable[Results[Any]]
    ) -> Sequence[Any]:
        try:
            async with self._together:
                return one_each(resolve, parents, await found)
        except Exception as error:  # noqa: BLE001 - it is the error of each parent's field
            return [error] * len(parents)
        finally:
            if inspect.iscoroutine(found):
                found.close()  # also one that was cancelled before its turn

    def _fill(self, group: Group, step: Step, values: Sequence[Any]) -> None:
        """Complete a field for all objects of a group, and enter the objects in its values."""
        completed = step.column.complete(values)
        name = step.name
        for target, value in zip(group.targets, completed.values, strict=True):
            target[name] = value
        for failure in completed.failures:
            self._fail(group, step, failure)
        for children in completed.children:
            if children.targets:
                self._enter(Group(group, step, children))

    def _fail(self, group: Group, step: Step, failure: Failure) -> None:
        path = self._path(group, failure.parent)
        if path is None or not _exists(group.targets[failure.parent][step.name], failure.trail):
            return  # in a part of the response that is null already
        self._errors.add(failure.error, (*path, step.name, *failure.trail), step.nodes)
        self._nullify(group, step, failure.parent, failure.trail)

    def _path(self, group: Group, index: int) -> tuple[str | int, ...] | None:
        """Return the path of an object, or None where it is in the response no more."""
        if group.parent is None or group.step is None:
            return None if self._null_root else ()
        location = group.location(index)
        above = None if location is None else self._path(group.parent, location.parent)
        return None if location is None or above is None else (*above, group.step.name, *location.trail)

    def _nullify(self, group: Group, step: Step, index: int, trail: Trail) -> None:
        """Set the nearest place to null, at this place or above it, that may be null."""
        nullable = step.shape.nullable
        depth = len(trail)
        while depth >= 0 and not nullable[depth]:
            depth -= 1
        if depth > 0:
            _inside(group.targets[index][step.name], trail[: depth - 1])[trail[depth - 1]] = None
        elif depth == 0:
            group.targets[index][step.name] = None
        elif group.parent is None or group.step is None:
            self._null_root = True
        else:
            location = group.location(index)
            if location is not None:
                self._nullify(group.parent, group.step, location.parent, location.trail)


def _make(group: Group) -> bool:
    """Fill all that the rows of a group have; return whether that was possible."""
    make = group.selection.make
    rows = None if make is None else make(group.sources)
    if rows is None:
        return False
    for target, row in zip(group.targets, rows, strict=True):
        target.update(row)
    return True


def _read_all(sources: Sequence[Any], key: str) -> list[Any]:
    if type(sources[0]) is dict:
        try:
            return [source.get(key) for source in sources]
        except (TypeError, AttributeError):
            pass  # not all of them are mappings
    return [_read(source, key) for source in sources]


def _read(source: Any, key: str) -> Any:
    try:
        return read(source, key)
    except Exception as error:  # noqa: BLE001 - it is the error of this field
        return error


def _note(value: Any, index: int, trail: Trail, locations: dict[int, Location]) -> None:
    if isinstance(value, dict):
        locations[id(value)] = Location(index, trail)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _note(item, index, (*trail, position), locations)


def _inside(value: Any, trail: Trail) -> Any:
    """Return what is at a place inside a field's value, or None where a list above it is null."""
    for position in trail:
        if value is None:
            return None
        value = value[position]
    return value


def _exists(value: Any, trail: Trail) -> bool:
    """Return whether the lists above a place inside a field's value are not null."""
    return not trail or _inside(value, trail[:-1]) is not None
