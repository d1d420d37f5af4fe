"""The worker "abuse": shows what users do to the signals of abuse, and records what these find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from storage import ids
from storage.errors import NotFoundError
from storage.events import (
    CommentAdded,
    CommentEdited,
    PhotoEdited,
    PhotoHeld,
    PhotoImported,
    PhotoReady,
    UserFollowed,
    UserUnfollowed,
)
from storage.postgres.database import Database
from storage.reports import SubjectKind
from storage.stores.accounts import users
from storage.stores.comments import comments
from storage.stores.photos import photos
from workers.handlers import EventHandler, event_origin, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.moderation.findings import FindingRecorder
from workers.signals.follow_churn import FollowChurn
from workers.signals.link_spam import LinkSpam
from workers.signals.port import Act, ActKind, Recent, Signal
from workers.signals.repeated_comments import RepeatedComments
from workers.signals.settings import SignalSettings


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "abuse"."""
    found = signals(context.db, context.recent, context.signals)
    yield AbuseHandlers(context.db, found, FindingRecorder(context.finding_metrics)).handlers()


def signals(db: Database, recent: Recent, settings: SignalSettings) -> Sequence[Signal]:
    """Return all signals."""

    async def is_new(account_id: int, at: datetime) -> bool:
        # The time of the registration is in the id.
        age = timedelta(seconds=at.timestamp() - ids.milliseconds_of(account_id) / 1000)
        return settings.may_be_new(age) and settings.is_new(age, await users.photo_count(db, account_id))

    return (
        RepeatedComments(recent, settings),
        FollowChurn(recent, settings),
        LinkSpam(recent, settings, is_new),
    )


class AbuseHandlers:
    """Handlers of the queue "abuse"; each may be repeated."""

    def __init__(self, db: Database, found: Sequence[Signal], recorder: FindingRecorder) -> None:
        self._db = db
        self._signals = found
        self._recorder = recorder

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(CommentAdded, self.commented),
            **on(CommentEdited, self.commented),
            **on(PhotoReady, self.described),
            **on(PhotoHeld, self.described),
            **on(PhotoImported, self.described),
            **on(PhotoEdited, self.described),
            **on(UserFollowed, self.followed),
            **on(UserUnfollowed, self.unfollowed),
        }

    async def commented(self, event: CommentAdded | CommentEdited) -> None:
        """Look at a comment, unless it is deleted by now."""
        try:
            comment = await comments.get(self._db, event.comment_id)
        except NotFoundError:
            return
        await self._look(
            Act(
                kind=ActKind.COMMENT,
                account_id=event.user_id,
                at=event_origin().due_at,
                subject=SubjectKind.COMMENT,
                subject_id=event.comment_id,
                text=comment.text,
                photo_id=event.photo_id,
                own=event.owner_id == event.user_id,
            )
        )

    async def described(self, event: PhotoReady | PhotoHeld | PhotoImported | PhotoEdited) -> None:
        """Look at the caption of a photo, unless it is deleted by now."""
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is None or not photo.caption:
            return
        await self._look(
            Act(
                kind=ActKind.CAPTION,
                account_id=photo.author.id,
                at=event_origin().due_at,
                subject=SubjectKind.PHOTO,
                subject_id=photo.id,
                text=photo.caption,
                photo_id=photo.id,
                own=True,
            )
        )

    async def followed(self, event: UserFollowed) -> None:
        """Look at a follow, or at the request for one."""
        if not event.accepted:  # that was done by the other account
            await self._look(_relation(ActKind.FOLLOW, event.follower_id, event.followee_id))

    async def unfollowed(self, event: UserUnfollowed) -> None:
        """Look at the end of a follow."""
        await self._look(_relation(ActKind.UNFOLLOW, event.follower_id, event.followee_id))

    async def _look(self, act: Act) -> None:
        for signal in self._signals:
            finding = await signal.look(act) if act.kind in signal.kinds else None
            if finding is not None:
                async with self._db.transaction() as tx:
                    await self._recorder.record(tx, finding)


def _relation(kind: ActKind, account_id: int, other_id: int) -> Act:
    return Act(
        kind=kind,
        account_id=account_id,
        at=event_origin().due_at,
        subject=SubjectKind.USER,
        subject_id=account_id,
        other_id=other_id,
    )
