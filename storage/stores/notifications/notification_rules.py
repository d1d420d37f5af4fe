"""Conditions in SQL that ask whether a recipient wants an activity, from the recipient's own shard.

They repeat `storage.notification_channels` for the look-up of an activity
(`storage.stores.notifications.notification_lookup`): there the recipient is `$1`, the photo `$3` and the actor `$4`.
"""

from __future__ import annotations

from storage.notification_channels import OF_USERS, Channel, choices, default_audience
from storage.notifications import NotificationKind
from storage.postgres.sharding import shard

_SHARD = shard("$1")
_FOLLOWED = f"EXISTS (SELECT 1 FROM following w WHERE w.shard = {_SHARD} AND w.follower_id = $1 AND w.followee_id = $4)"


def wanted(kind: NotificationKind, channel: Channel) -> str:
    """Return the condition that the recipient's audience of a kind and channel has the actor."""
    shown = kind.shown
    if len(choices(shown, channel)) == 1:
        return "true"
    chosen = (
        f"coalesce((SELECT pr.audience FROM notification_preferences pr WHERE pr.shard = {_SHARD} "
        f"AND pr.user_id = $1 AND pr.kind = '{shown}' AND pr.channel = '{channel}'), "
        f"'{default_audience(shown, channel)}')"
    )
    if kind not in OF_USERS:
        return f"{chosen} <> 'nobody'"
    return f"CASE {chosen} WHEN 'everyone' THEN true WHEN 'following' THEN {_FOLLOWED} ELSE false END"


def leaves(kind: NotificationKind) -> str:
    """Return the condition that an activity may leave the application: the account is `a` in `users`.

    It is known again when a delivery is due. Here it saves the event of what reaches no device and no address.
    """
    subscribed = f"EXISTS (SELECT 1 FROM push_subscriptions ps WHERE ps.shard = {_SHARD} AND ps.user_id = $1)"
    return (
        f"({subscribed} AND {wanted(kind, Channel.PUSH)} "
        f"OR a.email_verified_at IS NOT NULL AND {wanted(kind, Channel.EMAIL)})"
    )


def unmuted(kind: NotificationKind, thread: str) -> str:
    """Return the condition that the recipient mutes neither the photo nor `thread`, the comment at its top in SQL."""
    if kind not in OF_USERS:
        return "true"
    return (
        f"NOT EXISTS (SELECT 1 FROM muted_subjects s WHERE s.shard = {_SHARD} AND s.user_id = $1 "
        f"AND s.subject_id IN ($3, {thread}))"
    )
