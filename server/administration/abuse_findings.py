"""What the command about findings does: list what automatic rules have found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.administration.commands import open_database
from server.config.settings import Settings
from storage import ids
from storage.stores import account_lists
from storage.stores.accounts import users
from storage.stores.moderation import findings


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingRow:
    """A finding in a list; `facts` as text."""

    created_at: datetime
    account: str
    kind: str
    rule: str
    subject: str
    action: str
    facts: str


async def find(settings: Settings, username: str | None, limit: int) -> list[FindingRow]:
    """Return the newest findings about an account, or with None about all; raise `NotFoundError("user")`."""
    async with open_database(settings) as db:
        if username is None:
            found = await findings.newest(db, limit=limit)
        else:
            found = await findings.of_account(db, (await users.find(db, username)).id, limit=limit)
        accounts = await account_lists.summaries(db, {one.finding.account_id for one in found})
    return [
        FindingRow(
            created_at=one.created_at,
            account=accounts[one.finding.account_id].username
            if one.finding.account_id in accounts
            else ids.encode(one.finding.account_id),
            kind=one.finding.kind.value,
            rule=one.finding.rule,
            subject=f"{one.finding.subject.value} {ids.encode(one.finding.subject_id)}",
            action=one.finding.action.value,
            facts=", ".join(f"{name} {value}" for name, value in one.finding.facts.items()),
        )
        for one in found
    ]
