"""What the commands about cases do: list and show them, decide, and answer appeals, in the name of a moderator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.actions.appeals import AppealActions
from server.actions.cases import CaseActions, CaseFile
from server.composition.actions import case_actions, session_revoker
from server.composition.backends import Stores, open_stores
from server.composition.embedded import reachable_backends
from server.config.settings import Settings
from server.errors import InputError
from server.identity.errors import IdentityError
from storage import ids
from storage.postgres import migrate
from storage.postgres.database import Queryable
from storage.reports import Appeal, Case, CaseAction, CaseState, Category, Decision, SubjectKind
from storage.stores.accounts import users
from storage.stores.moderation import appeals, cases, decisions, moderated_subjects


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRow:
    """A case in a list, with the names of the account concerned and of the moderator, "" for none."""

    case: Case
    account: str
    assigned_to: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AppealRow:
    """An appeal in the queue, with its decision and the names of the account concerned and of the moderator."""

    appeal: Appeal
    decision: Decision
    account: str
    decided_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownCase:
    """A case with all that belongs to it, and the names of the accounts that it names."""

    file: CaseFile
    names: Mapping[int, str]


async def queue(settings: Settings, *, closed: bool, kind: SubjectKind | None, limit: int) -> list[CaseRow]:
    """Return cases by their priority, or closed ones, the newest first."""
    async with _stores(settings) as stores:
        db = stores.db
        found = await (cases.closed(db, kind=kind, limit=limit) if closed else cases.queue(db, kind=kind, limit=limit))
        names = await _names(db, [case.owner_id for case in found] + [case.assigned_to for case in found])
    return [
        CaseRow(case=case, account=names.get(case.owner_id, ""), assigned_to=names.get(case.assigned_to or 0, ""))
        for case in found
    ]


async def show(settings: Settings, case: str) -> ShownCase:
    """Return a case; raise `NotFoundError("case")`, `InputError` for a text that is no id."""
    async with _stores(settings) as stores:
        file = await _actions(settings, stores).file(id_of(case))
        named = [file.case.owner_id, file.case.assigned_to]
        named += [report.reporter_id for report in file.reports]
        named += [decision.decided_by for decision in file.decisions]
        named += [entry.actor_id for entry in file.audit]
        return ShownCase(file=file, names=await _names(stores.db, named))


async def decide(
    settings: Settings,
    case: str,
    *,
    by: str,
    action: CaseAction,
    rule: Category | None,
    reason: str,
    facts: str,
    note: str,
) -> Decision:
    """Decide a case in the name of the moderator `by`; raise `InputError` for what this account may not do."""
    if not reason.strip() and action is not CaseAction.NONE:
        raise InputError("Say why with --reason: the account concerned reads it.")
    async with _stores(settings) as stores, _permitted():
        return await _actions(settings, stores).decide(
            await _id_of_user(stores.db, by),
            id_of(case),
            action=action,
            rule=rule,
            reason=reason,
            facts=facts,
            note=note,
        )


async def assign(settings: Settings, case: str, *, by: str, to: str | None) -> Case:
    """Assign a case to a moderator, or to no moderator; raise as `decide` does."""
    async with _stores(settings) as stores, _permitted():
        assignee_id = None if to is None else await _id_of_user(stores.db, to)
        return await _actions(settings, stores).assign(await _id_of_user(stores.db, by), id_of(case), assignee_id)


async def escalate(settings: Settings, case: str, *, by: str, escalated: bool, note: str) -> CaseState:
    """Leave a case to the administrators, or return it; raise as `decide` does."""
    async with _stores(settings) as stores, _permitted():
        changed = await _actions(settings, stores).escalate(
            await _id_of_user(stores.db, by), id_of(case), escalated=escalated, note=note
        )
    return changed.state


async def revert(settings: Settings, decision: str, *, by: str, reason: str) -> Decision:
    """Undo a decision; raise as `decide` does."""
    if not reason.strip():
        raise InputError("Say why with --reason: the account concerned reads it.")
    async with _stores(settings) as stores, _permitted():
        return await _actions(settings, stores).revert(await _id_of_user(stores.db, by), id_of(decision), reason=reason)


async def pending(settings: Settings, limit: int) -> list[AppealRow]:
    """Return the appeals that wait for an answer, the oldest first."""
    async with _stores(settings) as stores:
        found = await appeals.pending(stores.db, limit=limit)
        about = await decisions.by_ids(stores.db, [appeal.decision_id for appeal in found])
        named = [appeal.owner_id for appeal in found] + [decision.decided_by for decision in about.values()]
        names = await _names(stores.db, named)
    return [
        AppealRow(
            appeal=appeal,
            decision=about[appeal.decision_id],
            account=names.get(appeal.owner_id, ""),
            decided_by=names.get(about[appeal.decision_id].decided_by or 0, ""),
        )
        for appeal in found
    ]


async def answer(settings: Settings, decision: str, *, by: str, reverted: bool, text: str) -> Appeal:
    """Answer the appeal against a decision; raise as `decide` does."""
    if not text.strip():
        raise InputError("Write the answer with --answer: the account concerned reads it.")
    async with _stores(settings) as stores, _permitted():
        actions = AppealActions(stores.db, _actions(settings, stores))
        return await actions.answer(await _id_of_user(stores.db, by), id_of(decision), reverted=reverted, answer=text)


def id_of(text: str) -> int:
    """Return the id in a text; raise `InputError` if there is none."""
    try:
        return ids.decode(text)
    except ids.BadIdError as error:
        raise InputError(str(error)) from error


async def _id_of_user(db: Queryable, name: str) -> int:
    return (await users.find(db, name)).id


async def _names(db: Queryable, user_ids: Sequence[int | None]) -> dict[int, str]:
    found = await moderated_subjects.accounts(db, {user_id for user_id in user_ids if user_id is not None})
    return {user_id: account.user.username for user_id, account in found.items()}


def _actions(settings: Settings, stores: Stores) -> CaseActions:
    return case_actions(stores, session_revoker(stores, settings.auth.access_ttl))


@asynccontextmanager
async def _permitted() -> AsyncIterator[None]:
    """Make an `InputError` of what the moderator may not do."""
    try:
        yield
    except IdentityError as error:
        raise InputError(str(error)) from error


@asynccontextmanager
async def _stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open the stores and check the schema."""
    async with reachable_backends(settings) as resolved, open_stores(resolved) as stores:
        await migrate.check(stores.db)
        yield stores
