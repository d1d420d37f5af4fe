"""Keep a person's inbox and what they are told of it live in step.

An act is noted or withdrawn in one transaction and announced in a second one, which only reads. Both
hold the inbox's lock: so what is announced is committed, and of two changes at the same moment, in
whatever processes, the one announced last tells how things stand after both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from channels.bus import envelope
from storage.feeds.notification_log import NotificationLog
from storage.models import NotificationKind
from storage.postgres.database import Database
from storage.stores import notifications
from workers.jobs import publications


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What somebody did to the recipient; the fields are those of `storage.stores.notifications.note`.

    `actor_id` None is PicShare itself; `source_id` is the photo, comment or user that the act is about.
    """

    recipient_id: int
    kind: NotificationKind
    actor_id: int | None
    photo_id: int | None = None
    source_id: int


class Inbox:
    """Note and withdraw acts, and tell of it; every method can be repeated."""

    def __init__(self, db: Database, log: NotificationLog) -> None:
        self._db = db
        self._log = log

    async def note(self, act: Activity, *, news_only: bool = False) -> None:
        """Note an act and tell the recipient, unless it is nothing that the recipient is to hear of.

        With `news_only` an act that is noted already is not told: whoever noted it does so.
        """
        if act.actor_id == act.recipient_id:
            return
        async with self._db.transaction() as tx:
            noted = await notifications.note(tx, **asdict(act))
        if noted is not None and (noted[1] or not news_only):
            await self.tell(act.recipient_id, noted[0])

    async def withdraw(self, act: Activity) -> None:
        """Take an act back and tell the recipient how the entry that it stood in is now, or that it is gone."""
        if act.actor_id is None or act.actor_id == act.recipient_id:
            return
        async with self._db.transaction() as tx:
            entry_id = await notifications.withdraw(
                tx,
                recipient_id=act.recipient_id,
                kind=act.kind,
                actor_id=act.actor_id,
                photo_id=act.photo_id,
                source_id=act.source_id,
            )
        if entry_id is not None:
            await self.tell(act.recipient_id, entry_id)

    async def settle(self, act: Activity, stands: Callable[[], Awaitable[bool]], now: bool) -> None:
        """Note the act if it stands `now`, else withdraw it, and go on until that is still so afterwards.

        Events of one like, given and taken back at once, may be handled at the same time in any order;
        whoever looks last leaves the inbox as the likes are.
        """
        await (self.note(act) if now else self.withdraw(act))
        while (later := await stands()) != now:
            now = later
            # What it became meanwhile has an event of its own, whose handler may have told it by now.
            await (self.note(act, news_only=True) if now else self.withdraw(act))

    async def tell(self, recipient_id: int, entry_id: int) -> None:
        """Tell the recipient how an entry is now, or that it is gone."""
        async with self._db.transaction() as tx:
            await notifications.lock(tx, recipient_id)
            entry = (await notifications.by_ids(tx, recipient_id, [entry_id])).get(entry_id)
            counters = await notifications.counters(tx, recipient_id)
            if entry is None:
                document = publications.notification_removed(entry_id, counters)
            else:
                document = publications.notification_new(entry, counters)
            await self._log.push(recipient_id, entry_id, envelope.stream_body(publications.NOTIFICATIONS, document))
