"""What the role of an account allows: to work on cases, and to decide about accounts with a role."""

from __future__ import annotations

from server.identity.errors import NotPermittedError
from storage.models import Role
from storage.postgres.database import Queryable
from storage.reports import OF_ACCOUNTS, Case, CaseAction, CaseState
from storage.stores.accounts import account_restrictions

_MODERATORS = {Role.MODERATOR, Role.ADMIN}


async def require_moderator(db: Queryable, user_id: int) -> Role:
    """Return the role of a moderator or administrator; raise `NotPermittedError` moderator_required.

    It is read from the database, so that a role that was taken away ends at once.
    """
    found = await account_restrictions.get(db, user_id)
    if found is None or found.role not in _MODERATORS or found.suspended_at is not None:
        raise NotPermittedError("moderator_required", "Only moderators may do this.")
    return found.role


def require_uninvolved(case: Case, moderator_id: int) -> None:
    """Raise `NotPermittedError` own_case for a case about the moderator."""
    if case.owner_id == moderator_id:
        raise NotPermittedError("own_case", "This case is about you. Another moderator has to decide it.")


async def require_permitted(db: Queryable, case: Case, moderator_id: int, role: Role, action: CaseAction) -> None:
    """Raise `NotPermittedError` if the moderator may not decide the case, or not by this action.

    Escalated cases are decided by administrators, and so is whether an account with a role is limited or suspended.
    """
    require_uninvolved(case, moderator_id)
    if role is Role.ADMIN:
        return
    if case.state is CaseState.ESCALATED:
        raise NotPermittedError("admin_required", "This case is escalated. An administrator has to decide it.")
    if action in OF_ACCOUNTS:
        concerned = await account_restrictions.get(db, case.owner_id)
        if concerned is not None and concerned.role in _MODERATORS:
            raise NotPermittedError(
                "admin_required", "Only administrators limit or suspend accounts of moderators and administrators."
            )
