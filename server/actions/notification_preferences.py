"""Choose which notifications reach a user on which channel, when, and about what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from storage.errors import NotFoundError
from storage.notification_channels import KINDS, MAILED_AT_ONCE, Audience, Channel, Preferences, deviations
from storage.notifications import NotificationKind
from storage.postgres.database import Database, Transaction
from storage.quiet_hours import QuietHours
from storage.stores.notifications import deliveries, mail_opt_outs, notification_preferences
from storage.stores.notifications.notification_preferences import DigestFrequency, Schedule
from storage.stores.social import muted_subjects
from workers.jobs.deliveries.digests import next_digest

QUOTA = "writes"
DIGEST_LIST = "digest"  # the name of the digest among the lists of mails that a user can end

Choices = Mapping[tuple[NotificationKind, Channel], Audience]


class NotificationPreferenceActions:
    """The viewer's choices; all methods that write raise `NotFoundError("user")` once the account is deleted."""

    def __init__(self, db: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._db = db
        self._clock = clock

    async def preferences(self, viewer_id: int) -> Preferences:
        """Return the audience of each kind and channel."""
        return await notification_preferences.preferences(self._db, viewer_id)

    async def set_preferences(self, viewer_id: int, chosen: Choices) -> Preferences:
        """Replace all choices: what is not chosen has its default again."""
        kept = deviations((kind, channel, audience) for (kind, channel), audience in chosen.items())
        preferences = Preferences(deviations=kept)
        async with self._db.transaction() as tx:
            await notification_preferences.set_preferences(tx, viewer_id, kept)
            await _leave_lists(tx, viewer_id, preferences)
        return preferences

    async def schedule(self, viewer_id: int) -> Schedule:
        """Return the quiet hours, the time zone and the digest."""
        return await notification_preferences.schedule(self._db, viewer_id)

    async def set_quiet_hours(self, viewer_id: int, quiet: QuietHours | None) -> None:
        """Set the quiet hours, or remove them with None. They hold for what waits already, too."""
        async with self._db.transaction() as tx:
            await notification_preferences.set_quiet_hours(tx, viewer_id, quiet)
            # The zone may be another one, in which it is eight o'clock at another moment.
            await self._plan_digest(tx, viewer_id)

    async def set_digest(self, viewer_id: int, digest: DigestFrequency, *, zone: str | None) -> Schedule:
        """Choose how often a digest is sent, at eight o'clock in `zone`, or in the present zone with None."""
        async with self._db.transaction() as tx:
            await notification_preferences.set_digest(tx, viewer_id, digest, zone=zone)
            if digest is not DigestFrequency.OFF:
                await mail_opt_outs.remove(tx, viewer_id, DIGEST_LIST)
            return await self._plan_digest(tx, viewer_id)

    async def stop_mail(self, user_id: int, list_name: str) -> None:
        """End a list of mails: the digest, or the mails about a kind of notification; other names change nothing."""
        try:
            if list_name == DIGEST_LIST:
                await self.set_digest(user_id, DigestFrequency.OFF, zone=None)
            elif list_name in frozenset(NotificationKind):
                await self._stop_kind(user_id, NotificationKind(list_name).shown)
        except NotFoundError:
            # The account was deleted, and gets no mail any more.
            return

    async def mute_photo(self, viewer_id: int, photo_id: int) -> None:
        """Record no notifications about a photo any more; raises `NotFoundError("photo")`."""
        async with self._db.transaction() as tx:
            await muted_subjects.mute_photo(tx, viewer_id, photo_id)

    async def mute_thread(self, viewer_id: int, comment_id: int) -> None:
        """Record no notifications about the thread of a comment any more; raises `NotFoundError("comment")`."""
        async with self._db.transaction() as tx:
            await muted_subjects.mute_thread(tx, viewer_id, comment_id)

    async def unmute_photo(self, viewer_id: int, photo_id: int) -> None:
        """Record notifications about a photo again, whether it can be seen or not."""
        async with self._db.transaction() as tx:
            await muted_subjects.unmute(tx, viewer_id, photo_id)

    async def unmute_thread(self, viewer_id: int, comment_id: int) -> None:
        """Record notifications about the thread of a comment or reply again."""
        async with self._db.transaction() as tx:
            await muted_subjects.unmute(tx, viewer_id, await muted_subjects.top_of(tx, comment_id))

    async def _stop_kind(self, user_id: int, kind: NotificationKind) -> None:
        async with self._db.transaction() as tx:
            chosen = dict((await notification_preferences.preferences(tx, user_id)).deviations)
            chosen[kind, Channel.EMAIL] = Audience.NOBODY
            kept = deviations((each, channel, audience) for (each, channel), audience in chosen.items())
            await notification_preferences.set_preferences(tx, user_id, kept)

    async def _plan_digest(self, tx: Transaction, user_id: int) -> Schedule:
        schedule = await notification_preferences.schedule(tx, user_id)
        await deliveries.set_digest(tx, user_id, next_digest(schedule, self._clock()))
        return schedule


async def _leave_lists(tx: Transaction, user_id: int, preferences: Preferences) -> None:
    """Let the lists that a user has left be those of kinds without mails, also of mails that are sent at once."""
    left = await mail_opt_outs.lists_of(tx, user_id)
    for kind in KINDS:
        off = preferences.audience(kind, Channel.EMAIL) is Audience.NOBODY
        if not off and kind.value in left:
            await mail_opt_outs.remove(tx, user_id, kind.value)
        if off and kind in MAILED_AT_ONCE and kind.value not in left:
            await mail_opt_outs.add(tx, user_id, kind.value)
