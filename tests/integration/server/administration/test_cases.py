"""The commands about cases and appeals, for operators."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from server.actions.reports import ReportActions
from server.administration import cases
from server.cli.main import build_app
from server.config.settings import Settings
from server.errors import InputError
from storage.errors import ConflictError, NotFoundError
from storage.ids import encode
from storage.models import Role, User
from storage.postgres.database import Database
from storage.reports import AppealState, CaseAction, CaseState, Category, SubjectKind
from storage.stores.accounts import account_restrictions, users
from storage.stores.moderation import appeals, decisions
from tests.integration.server.administration.test_doctor import settings_of
from tests.support.community import new_user, new_users

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(database: Database, database_dsn: str, redis: Any, redis_url: str) -> Settings:
    """Settings that name the test's engines."""
    return settings_of(database_dsn, redis_url)


async def _moderator(database: Database, name: str) -> User:
    user = await new_user(database, name)
    async with database.transaction() as tx:
        return await users.set_role(tx, user.username, Role.MODERATOR)


async def _case(database: Database, subject: User, reporter: User) -> str:
    filed = await ReportActions(database).add(
        reporter.id, SubjectKind.USER, subject.id, category=Category.HATE, text="look"
    )
    return encode(filed.report.case_id)


async def test_a_case_from_report_to_appeal(database: Database, settings: Settings) -> None:
    """Operators list, assign, escalate, decide and show cases, and answer appeals, in the name of moderators."""
    ann, bob = await new_users(database, "ann", "bob")
    judge, other = await _moderator(database, "judge"), await _moderator(database, "other")
    case = await _case(database, ann, bob)
    (row,) = await cases.queue(settings, closed=False, kind=None, limit=10)
    assert (encode(row.case.id), row.account, row.assigned_to) == (case, "ann", "")
    assert await cases.queue(settings, closed=False, kind=SubjectKind.PHOTO, limit=10) == []
    await cases.assign(settings, case, by="judge", to="other")
    (row,) = await cases.queue(settings, closed=False, kind=None, limit=10)
    assert row.assigned_to == "other"
    assert await cases.escalate(settings, case, by="judge", escalated=True, note="?") is CaseState.ESCALATED
    assert await cases.escalate(settings, case, by="judge", escalated=False, note="") is CaseState.OPEN
    decide: dict[str, Any] = {"rule": None, "facts": "", "note": ""}
    with pytest.raises(InputError, match="--reason"):
        await cases.decide(settings, case, by="judge", action=CaseAction.LIMIT, reason=" ", **decide)
    with pytest.raises(InputError, match="Only moderators"):
        await cases.decide(settings, case, by="bob", action=CaseAction.NONE, reason="", **decide)
    with pytest.raises(NotFoundError):
        await cases.decide(settings, case, by="nobody", action=CaseAction.NONE, reason="", **decide)
    decided = await cases.decide(settings, case, by="judge", action=CaseAction.LIMIT, reason="No.", **decide)
    with pytest.raises(ConflictError):
        await cases.decide(settings, case, by="judge", action=CaseAction.NONE, reason="", **decide)
    async with database.transaction() as tx:
        await appeals.add(tx, await decisions.get(tx, decided.id), "Why?")
    (pending,) = await cases.pending(settings, 10)
    assert (pending.account, pending.decided_by, pending.appeal.text) == ("ann", "judge", "Why?")
    with pytest.raises(InputError, match="Another moderator"):
        await cases.answer(settings, encode(decided.id), by="judge", reverted=True, text="x")
    answered = await cases.answer(settings, encode(decided.id), by="other", reverted=True, text="Right.")
    assert answered.state is AppealState.REVERTED
    restrictions = await account_restrictions.get(database, ann.id)
    assert restrictions is not None
    assert restrictions.limited_at is None
    shown = await cases.show(settings, case)
    assert [entry.action for entry in shown.file.audit] == [
        "opened", "assigned", "escalated", "returned", "decided", "reverted", "appeal_reverted",
    ]  # fmt: skip
    assert {judge.id, other.id, ann.id, bob.id} <= shown.names.keys()
    with pytest.raises(InputError):
        await cases.show(settings, "no id")


def test_commands_explain_themselves() -> None:
    """Each command has a help text with an example."""
    app, runner = build_app(), CliRunner()
    for command in ("cases", "case", "decide", "revert", "assign", "escalate", "appeals", "answer"):
        result = runner.invoke(app, ["moderation", command, "--help"])
        assert result.exit_code == 0
        assert "Example:" in result.output
