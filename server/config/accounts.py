"""The section `[accounts]`: what happens to accounts."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section


class AccountsSection(Section):
    """Accounts of users."""

    deletion_grace: int = Field(
        default=30,
        ge=0,
        le=365,
        description="Days for which a user can undo the deletion of the account, which is hidden at once. 0 deletes it "
        "at once and for good.",
    )
