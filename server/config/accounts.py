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
    import_bytes: int = Field(
        default=10_000_000_000,
        ge=1_000_000,
        description="Maximum size of an archive that a user imports, in bytes.",
    )
    import_photos: int = Field(
        default=10_000, ge=1, le=100_000, description="Maximum number of photos that one archive may have."
    )
