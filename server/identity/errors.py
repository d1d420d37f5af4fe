"""Errors of accounts, passwords and sessions; `server.edge.problems` maps each to an HTTP answer.

IdentityError
├── RefreshTokenError   a refresh token that cannot be exchanged
└── PasswordsBusyError  too many passwords are waiting to be hashed
"""

from __future__ import annotations


class IdentityError(Exception):
    """Base of this package's errors; the message is for the person who signs in."""


class RefreshTokenError(IdentityError):
    """A refresh token is unknown, expired, used before, or belongs to a deleted account."""


class PasswordsBusyError(IdentityError):
    """Say that too many passwords are being checked at this moment; trying again soon helps."""
