"""Push subscriptions, one for each session, in the shard of its user.

An endpoint leads to one browser, in which another user may sign in. So it belongs to one account on all shards, the one
that has subscribed last. A subscription counts only while its session lives: that is part of each read, and its row is
deleted soon after (`workers.jobs.live.sessions`), or with the session's.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import timedelta

from storage import ids
from storage.errors import NotFoundError
from storage.postgres.database import Queryable, Transaction
from storage.postgres.rows import Row
from storage.postgres.sharding import shard
from storage.push import AppPush, PushPolicy, PushSubscription
from storage.stores import account_locks

MAX = 20  # of one account; the one that has been silent for longest gives way to another
MAX_FAILURES = 10  # refused messages in a row after which a subscription is given up, unless it is as new as
GIVEN_UP_AFTER = timedelta(days=3)  # or its last success is

_COLUMNS = (
    "p.id, p.user_id, p.session_id, p.endpoint, p.p256dh, p.auth, p.hide_content, p.created_at, p.last_ok, "
    "p.failures, p.app_token, p.app_alerts, p.app_policy, p.app_legacy"
)
_OF_USER = f"p.shard = {shard('$1')} AND p.user_id = $1"
_SOME = f"{_OF_USER} AND p.id = ANY($2::bigint[])"


async def subscribe(
    tx: Transaction,
    *,
    user_id: int,
    session_id: str,
    endpoint: str,
    p256dh: bytes,
    auth: bytes,
    hide_content: bool | None,
) -> PushSubscription:
    """Store the subscription of a session as a browser's and return it; it replaces the one that the session had.

    `hide_content` None keeps what the session, or its browser, had. Another account loses the endpoint. Raises
    `NotFoundError("user")` once the account is deleted or the session ended.
    """
    # The lock excludes another subscription of the account, which would be counted by neither.
    if not await account_locks.lock(tx, [user_id]) or not await _lives(tx, user_id, session_id):
        raise NotFoundError("user")
    digest = hashlib.sha256(endpoint.encode()).digest()
    if hide_content is None:
        hide_content = await _hides_content(tx, user_id, session_id, digest)
    renewed = await tx.fetchrow(
        f"""
        UPDATE push_subscriptions p SET session_id = $3::uuid, p256dh = $4, auth = $5, hide_content = $6, failures = 0,
            app_token = NULL, app_alerts = NULL, app_policy = NULL, app_legacy = NULL
        WHERE {_OF_USER} AND p.endpoint_sha256 = $2 RETURNING {_COLUMNS}""",
        user_id,
        digest,
        session_id,
        p256dh,
        auth,
        hide_content,
    )
    await tx.execute(
        f"DELETE FROM push_subscriptions p WHERE {_OF_USER} AND p.session_id = $2::uuid AND p.endpoint_sha256 <> $3",
        user_id,
        session_id,
        digest,
    )
    if renewed is not None:
        return _subscription_of(renewed)
    await _make_room(tx, user_id)
    return await _take_over(tx, user_id, session_id, endpoint, p256dh=p256dh, auth=auth, hide_content=hide_content)


async def _take_over(
    tx: Transaction, user_id: int, session_id: str, endpoint: str, *, p256dh: bytes, auth: bytes, hide_content: bool
) -> PushSubscription:
    """Insert the subscription of an endpoint, which another account loses."""
    digest = hashlib.sha256(endpoint.encode()).digest()
    # An account in the same shard may subscribe this endpoint at the same moment; it is found the second time.
    for _ in range(2):
        await tx.execute(
            "/* all shards: the accounts that had the browser before */ DELETE FROM push_subscriptions "
            "WHERE endpoint_sha256 = $1",
            digest,
        )
        row = await tx.insert(
            ids.shard_of(user_id),
            f"""
            INSERT INTO push_subscriptions AS p
                (shard, id, user_id, session_id, endpoint, endpoint_sha256, p256dh, auth, hide_content)
            VALUES ({shard("$1")}, $1, $2, $3::uuid, $4, $5, $6, $7, $8)
            ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
            user_id,
            session_id,
            endpoint,
            digest,
            p256dh,
            auth,
            hide_content,
        )
        if row is not None:
            return _subscription_of(row)
    raise NotFoundError("user")


async def make_app(tx: Transaction, subscription: PushSubscription, app: AppPush) -> PushSubscription:
    """Make a subscription that this transaction has stored one of an app, and return it."""
    row = await tx.fetchrow(
        f"""
        UPDATE push_subscriptions p SET app_token = $3, app_alerts = $4, app_policy = $5, app_legacy = $6
        WHERE {_OF_USER} AND p.id = $2 RETURNING {_COLUMNS}""",
        subscription.user_id,
        subscription.id,
        app.token,
        sorted(app.alerts),
        app.policy.value,
        app.legacy,
    )
    return _found(row)


async def change_app(
    tx: Transaction, user_id: int, session_id: str, *, alerts: frozenset[str], policy: PushPolicy
) -> PushSubscription:
    """Change what the app of a session gets, and return its subscription; raise `NotFoundError("subscription")`."""
    row = await tx.fetchrow(
        f"""
        UPDATE push_subscriptions p SET app_alerts = $3, app_policy = $4
        WHERE {_OF_USER} AND p.session_id = $2 AND p.app_token IS NOT NULL RETURNING {_COLUMNS}""",
        user_id,
        uuid.UUID(session_id),
        sorted(alerts),
        policy.value,
    )
    return _found(row)


async def of_app(db: Queryable, user_id: int, session_id: str) -> PushSubscription:
    """Return the subscription of the app of a session; raise `NotFoundError("subscription")`."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM push_subscriptions p "
        f"WHERE {_OF_USER} AND p.session_id = $2 AND p.app_token IS NOT NULL",
        user_id,
        uuid.UUID(session_id),
    )
    return _found(row)


async def of_user(db: Queryable, user_id: int) -> list[PushSubscription]:
    """Return the subscriptions of a user's living sessions, oldest first."""
    rows = await db.fetch(
        f"""
        SELECT {_COLUMNS}, coalesce(nullif(u.language, 'auto'), s.language, 'en') AS language
        FROM push_subscriptions p
        JOIN sessions s ON s.shard = p.shard AND s.id = p.session_id
        JOIN users u ON u.shard = p.shard AND u.id = p.user_id
        WHERE {_OF_USER} AND s.shard = {shard("$1")} AND u.shard = {shard("$1")} AND u.id = $1
            AND s.revoked_at IS NULL ORDER BY p.id""",
        user_id,
    )
    return [_subscription_of(row) for row in rows]


async def delete(tx: Transaction, subscription_id: int, *, user_id: int) -> None:
    """Delete a subscription of the user; raise `NotFoundError("subscription")`."""
    if not await tx.execute(
        f"DELETE FROM push_subscriptions p WHERE {_OF_USER} AND p.id = $2", user_id, subscription_id
    ):
        raise NotFoundError("subscription")


async def delete_of_session(tx: Transaction, user_id: int, session_id: str) -> None:
    """Delete the subscription of a session that has ended."""
    await tx.execute(
        f"DELETE FROM push_subscriptions p WHERE {_OF_USER} AND p.session_id = $2::uuid", user_id, uuid.UUID(session_id)
    )


async def record(
    tx: Transaction, user_id: int, *, sent: Sequence[int] = (), refused: Sequence[int] = (), gone: Sequence[int] = ()
) -> int:
    """Record what has become of messages to subscriptions of a user; return how many subscriptions were given up.

    Those that are gone are deleted, and those whose messages have been refused again and again for days.
    """
    if sent:
        # Once a day, or each message would write.
        await tx.execute(
            f"UPDATE push_subscriptions p SET last_ok = now(), failures = 0 WHERE {_SOME} "
            "AND (p.failures > 0 OR p.last_ok IS NULL OR p.last_ok < now() - interval '1 day')",
            user_id,
            list(sent),
        )
    if refused:
        await tx.execute(
            f"UPDATE push_subscriptions p SET failures = p.failures + 1 WHERE {_SOME}", user_id, list(refused)
        )
    if not refused and not gone:
        return 0
    return await tx.execute(
        f"DELETE FROM push_subscriptions p WHERE {_SOME} AND (p.id = ANY($3::bigint[]) OR (p.failures >= $4 "
        "AND coalesce(p.last_ok, p.created_at) < now() - $5::interval))",
        user_id,
        [*refused, *gone],
        list(gone),
        MAX_FAILURES,
        GIVEN_UP_AFTER,
    )


async def number(db: Queryable) -> tuple[int, int]:
    """Return the number of all subscriptions, and of those whose last message was refused."""
    row = await db.fetchrow(
        "/* all shards: a figure for the operator */ SELECT count(*) AS all, count(*) FILTER (WHERE failures > 0) AS "
        "refused FROM push_subscriptions"
    )
    return (0, 0) if row is None else (row["all"], row["refused"])


async def _lives(tx: Transaction, user_id: int, session_id: str) -> bool:
    """Lock a session against its end; return False if it has ended."""
    found: bool | None = await tx.fetchval(
        f"SELECT true FROM sessions WHERE shard = {shard('$1')} AND user_id = $1 AND id = $2 AND revoked_at IS NULL "
        "FOR SHARE",
        user_id,
        uuid.UUID(session_id),
    )
    return bool(found)


async def _hides_content(tx: Transaction, user_id: int, session_id: str, digest: bytes) -> bool:
    found: bool | None = await tx.fetchval(
        f"SELECT bool_or(p.hide_content) FROM push_subscriptions p WHERE {_OF_USER} "
        "AND (p.session_id = $2::uuid OR p.endpoint_sha256 = $3)",
        user_id,
        session_id,
        digest,
    )
    return bool(found)


async def _make_room(tx: Transaction, user_id: int) -> None:
    await tx.execute(
        f"""
        DELETE FROM push_subscriptions p WHERE {_OF_USER} AND p.id IN (
            SELECT o.id FROM push_subscriptions o WHERE o.shard = {shard("$1")} AND o.user_id = $1
            ORDER BY coalesce(o.last_ok, o.created_at) DESC, o.id DESC OFFSET $2)""",
        user_id,
        MAX - 1,
    )


def _found(row: Row | None) -> PushSubscription:
    if row is None:
        raise NotFoundError("subscription")
    return _subscription_of(row)


def _subscription_of(row: Row) -> PushSubscription:
    fields = dict(row)
    token, alerts, policy, legacy = (fields.pop(f"app_{name}") for name in ("token", "alerts", "policy", "legacy"))
    app = None
    if token is not None:
        app = AppPush(token=token, alerts=frozenset(alerts), policy=PushPolicy(policy), legacy=legacy)
    return PushSubscription(**{**fields, "session_id": str(row["session_id"]), "app": app})
