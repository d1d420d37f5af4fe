"""The lower limits of new accounts, with the numbers of photos from the database."""

from __future__ import annotations

from functools import partial

from server.identity.new_accounts import NewAccountLimiter, NewAccountRule
from server.identity.rate_limiter import RateLimiter
from storage.postgres.database import Database
from storage.stores.accounts import users


def new_account_limiter(db: Database, limiter: RateLimiter, rule: NewAccountRule) -> NewAccountLimiter:
    """Return what charges new accounts; it is read from the primary, so that a new photo counts at once."""
    return NewAccountLimiter(limiter, rule, partial(users.photo_count, db))
