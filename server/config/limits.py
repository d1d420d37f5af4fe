"""The section `[limits]`: how often something may be done."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Rate, Section


class LimitsSection(Section):
    """Rate limits, as `120/m`, `20/h` or `10/5m`; a request that exceeds its limit gets status 429."""

    reads: Rate = Field(default="1200/m", description="Reads of one user.")
    writes: Rate = Field(default="240/m", description="Writes of one user that have no limit of their own.")
    likes: Rate = Field(default="600/m", description="Likes and unlikes of one user.")
    follows: Rate = Field(default="300/m", description="Follows, blocks and mutes of one user.")
    uploads: Rate = Field(default="600/h", description="Photos uploaded by one user.")
    searches: Rate = Field(default="300/m", description="Searches of one user; one while typing counts, too.")
    reports: Rate = Field(default="30/h", description="Reports of one user to the moderators.")
    new_uploads: Rate = Field(default="60/h", description="Photos uploaded by one new account; see `[abuse]`.")
    new_comments: Rate = Field(default="60/h", description="Comments of one new account.")
    new_follows: Rate = Field(default="120/h", description="Follows of one new account.")
    anonymous: Rate = Field(default="1200/m", description="Requests from one address without sign-in.")
    sign_in_account: Rate = Field(default="10/m", description="Attempts to sign in to one account.")
    sign_in_address: Rate = Field(default="300/m", description="Attempts to sign in from one address.")
    sign_up_address: Rate = Field(default="1000/h", description="New accounts from one address.")
    second_factor: Rate = Field(
        default="20/h", description="Attempts at the one-time codes and recovery codes of one account, from anywhere."
    )
    reset_account: Rate = Field(
        default="5/h", description="New passwords requested for one e-mail address, from one address."
    )
    reset_address: Rate = Field(default="60/h", description="New passwords requested from one address.")
    account_mails: Rate = Field(
        default="10/h", description="Mails about the e-mail address that one user requests, to verify or change it."
    )
    token_lookups: Rate = Field(
        default="1200/m",
        description="Access tokens of applications from one address that are looked up for the first time.",
    )
    oauth_address: Rate = Field(
        default="300/m", description="Requests for tokens of applications, and to revoke them, from one address."
    )
    new_applications: Rate = Field(
        default="60/h", description="Applications that register themselves, from one address."
    )
