"""Carry out what moderators decide, and undo it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from locales.sentences import sentence
from server.actions.counter_updates import update_cache
from server.actions.live_permissions import at_once
from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.errors import ConflictError, NotFoundError
from storage.models import PhotoCounters
from storage.moderation import Decider, ModerationAction
from storage.moderation import Decision as PhotoDecision
from storage.postgres.database import Database, Transaction
from storage.reports import ERASED_AFTER, OF_ACCOUNTS, Case, CaseAction, Category, Decision, SubjectKind
from storage.stores import account_locks
from storage.stores.accounts import account_restrictions
from storage.stores.comments import hidden_comments
from storage.stores.moderation import cases, decisions
from storage.stores.photos import photo_lists, photo_moderation
from workers.jobs.live.permissions import LivePermissions
from workers.jobs.live.sessions import SessionRevoker
from workers.jobs.moderation.photo_decisions import PhotoDecisions

_NEWEST = 500  # photos of an author that a home feed may hold
# What can be done to each kind of subject; the account concerned can be limited or suspended for any.
ACTIONS = {
    SubjectKind.PHOTO: frozenset(CaseAction),
    SubjectKind.COMMENT: frozenset(CaseAction) - {CaseAction.SENSITIVE},
    SubjectKind.USER: frozenset({CaseAction.NONE, CaseAction.LIMIT, CaseAction.SUSPEND}),
}
# A removed photo is hidden until it is erased.
_OF_PHOTOS = {
    CaseAction.SENSITIVE: ModerationAction.SENSITIVE,
    CaseAction.HIDE: ModerationAction.HIDE,
    CaseAction.REMOVE: ModerationAction.HIDE,
}
_STRICTNESS = {action: place for place, action in enumerate(ModerationAction)}


class Enforcement:
    """The effects of decisions. Each is part of the transaction of its decision, and visible at once after it."""

    def __init__(
        self,
        db: Database,
        cards: Cards,
        counter_cache: CounterCache,
        moderation: PhotoDecisions,
        *,
        revoker: SessionRevoker,
        permissions: LivePermissions,
    ) -> None:
        self._db = db
        self._cards = cards
        self._counter_cache = counter_cache
        self._moderation = moderation
        self._revoker = revoker
        self._permissions = permissions

    async def apply(self, tx: Transaction, case: Case, action: CaseAction, *, rule: Category, reason: str) -> None:
        """Carry out an action; the author of a photo reads the rule and the reason with it.

        Raises `ConflictError` action_not_possible, and `NotFoundError` for what is deleted.
        """
        if action not in ACTIONS[case.subject_kind]:
            raise ConflictError(
                "action_not_possible",
                sentence("A {subject_kind} has no action {action}.", subject_kind=case.subject_kind, action=action),
                field="action",
            )
        match action:
            case CaseAction.NONE:
                await self._release(tx, case)
            case CaseAction.LIMIT:
                await account_restrictions.set_limited(tx, case.owner_id, limited=True)
            case CaseAction.SUSPEND:
                await self._suspend(tx, case.owner_id)
            case _ if case.subject_kind is SubjectKind.COMMENT:
                self._update_counters(tx, await hidden_comments.hide(tx, case.subject_id))
            case _:
                await self._decide(tx, case, _OF_PHOTOS[action], rule=rule.value, reason=reason)
        if action in {CaseAction.REMOVE, CaseAction.SUSPEND}:
            await cases.set_erasure(tx, case.id, ERASED_AFTER)

    async def undo(self, tx: Transaction, case: Case, decision: Decision) -> None:
        """Undo the action of a decision, except for what another one demands.

        Raises `NotFoundError` for what is erased by now.
        """
        # Two decisions that are undone at the same moment must see each other.
        await account_locks.lock(tx, [case.owner_id])
        others = await decisions.in_force(tx, decision)
        if decision.action in OF_ACCOUNTS:
            if not others:
                await self._restore_account(tx, case.owner_id, decision.action)
        elif case.subject_kind is SubjectKind.PHOTO:
            other = max(others, key=lambda each: _STRICTNESS[_OF_PHOTOS[each.action]], default=None)
            action = ModerationAction.ALLOW if other is None else _OF_PHOTOS[other.action]
            rule, reason = ("", "") if other is None else (other.rule.value, other.reason)
            await self._decide(tx, case, action, rule=rule, reason=reason)
        elif not others:
            self._update_counters(tx, await hidden_comments.restore(tx, case.subject_id))
        await cases.set_erasure(tx, case.id, None)

    async def _restore_account(self, tx: Transaction, user_id: int, action: CaseAction) -> None:
        if action is CaseAction.LIMIT:
            await account_restrictions.set_limited(tx, user_id, limited=False)
        else:
            await account_restrictions.reinstate(tx, user_id)
            tx.on_commit(lambda: at_once(self._refresh_cards(user_id)))

    async def _suspend(self, tx: Transaction, user_id: int) -> None:
        ended = await account_restrictions.suspend(tx, user_id)
        tx.on_commit(lambda: self._suspended(user_id, ended))

    async def _suspended(self, user_id: int, ended: list[str]) -> None:
        # The worker repeats each of these for the events, if an engine does not answer at this moment.
        for session in ended:
            await at_once(self._revoker.revoke(user_id, session))
        await at_once(self._permissions.account_deleted(user_id))
        await at_once(self._refresh_cards(user_id))

    async def _refresh_cards(self, user_id: int) -> None:
        await self._cards.invalidate(await photo_lists.author_ids(self._db, user_id, limit=_NEWEST))

    async def _release(self, tx: Transaction, case: Case) -> None:
        """Show a photo that an automatic rule withholds: nothing else ends its decision, and the case was about it."""
        if case.subject_kind is not SubjectKind.PHOTO:
            return
        decisions = await photo_moderation.history(tx, case.subject_id)
        if any(decision.by is Decider.AUTOMATIC and decision.withholds for decision in decisions):
            # A photo that is deleted by now is not shown in any case.
            with suppress(NotFoundError):
                await self._decide(tx, case, ModerationAction.ALLOW)

    async def _decide(
        self, tx: Transaction, case: Case, action: ModerationAction, *, rule: str = "", reason: str = ""
    ) -> None:
        decision = PhotoDecision(action=action, by=Decider.MODERATOR, rule=rule, reason=reason)
        await self._moderation.decide_in(tx, case.subject_id, decision)

    def _update_counters(self, tx: Transaction, counters: PhotoCounters | None) -> None:
        if counters is not None:
            tx.on_commit(partial(update_cache, self._counter_cache, counters))
