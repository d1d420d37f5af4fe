"""Events about entries of inboxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from storage.event import Event


@dataclass(frozen=True, kw_only=True)
class NotificationChanged(Event):
    """An entry of the inbox of `user_id` has a new activity: it was created, or another actor was added.

    It is emitted once for each new activity, also a second one of the same group, with the change of the inbox. Nothing
    is emitted where the recipient is not to notice the change: an activity that is retracted or returns, a mark, a
    removal; nor for a recipient without a device or address, or who wants neither for this activity. `kind` is the one
    that the recipient reads, and `group` names what later activities are grouped by: "like:<photo>",
    "comment_like:<comment>", "follow", and for kinds that are not grouped "<kind>:<entry>".
    """

    topic: ClassVar[str] = "notification.changed"
    user_id: int
    notification_id: int
    kind: str
    group: str


@dataclass(frozen=True, kw_only=True)
class SecurityNoticed(Event):
    """Something happened to an account that its owner is to know: `event` is a `storage.notifications.SecurityEvent`.

    `device` describes the device from which it was done. `notice_id` names the occasion.
    """

    topic: ClassVar[str] = "security.noticed"
    user_id: int
    notice_id: int
    event: str
    device: str = ""
