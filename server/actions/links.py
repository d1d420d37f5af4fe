"""Links of mails: find and use their tokens, with an error for each way in which one can be unusable."""

from __future__ import annotations

from server.identity.errors import LinkExpiredError, LinkInvalidError, LinkUsedError
from storage.mails import TokenPurpose
from storage.postgres.database import Queryable, Transaction
from storage.stores.credentials import one_time_tokens
from storage.stores.credentials.one_time_tokens import OneTimeToken
from workers.mails.tokens import MailTokenError, TokenDigest, digest_of


async def read(db: Queryable, purpose: TokenPurpose, token: str) -> OneTimeToken:
    """Return a token that can be used.

    Raises `LinkInvalidError`, also for a token of another purpose, `LinkUsedError` and `LinkExpiredError`.
    """
    digest = _digest(token)
    return _usable(await one_time_tokens.find(db, purpose, shard=digest.shard, sha256=digest.sha256))


async def use(tx: Transaction, purpose: TokenPurpose, token: str) -> OneTimeToken:
    """Use a token up and return it; raises what `read` raises. A rollback keeps it usable."""
    digest = _digest(token)
    return _usable(await one_time_tokens.use(tx, purpose, shard=digest.shard, sha256=digest.sha256))


def _digest(token: str) -> TokenDigest:
    try:
        return digest_of(token)
    except MailTokenError as error:
        raise LinkInvalidError from error


def _usable(token: OneTimeToken | None) -> OneTimeToken:
    if token is None:
        raise LinkInvalidError
    if token.state == "used":
        raise LinkUsedError
    if token.state == "expired":
        raise LinkExpiredError
    return token
