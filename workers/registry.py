"""The registry of workers: one entry for each queue, its topics, and the module that handles them.

Roles, the command line, the routing of both brokers, the settings `worker.<name>_concurrency`, the composition root and
the label `queue` of metrics derive from `WORKERS`. To add a worker, add an entry here and its module in `workers/jobs`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSpec:
    """A worker: it consumes the queue `name`, to which `topics` are bound.

    A worker with `runs_with` is no role of its own: the process of that worker runs it, too.
    `former_topics` were bound to it in an earlier version. It still handles what had been delivered to it by then.
    `least_deliveries` is the number of deliveries after which a message becomes a dead letter, if the settings allow no
    more.
    `module` has a function `open_handlers(context)`, see `workers.jobs.context`. It is given by name, because the
    command line and the settings read this table and must not import drivers for it. `help` completes the
    sentence "<name> …"; `concurrency` is the default of the setting that `concurrency_help` describes.
    """

    name: str
    help: str
    topics: tuple[str, ...]
    module: str
    concurrency: int
    concurrency_help: str
    former_topics: tuple[str, ...] = ()
    runs_with: str | None = None
    least_deliveries: int = 0

    @property
    def role(self) -> str:
        """Return the name of the process that runs this worker, as in `picshare worker <name>`."""
        return self.runs_with or self.name


WORKERS: tuple[WorkerSpec, ...] = (
    WorkerSpec(
        name="media",
        help="creates image variants and deletes unused images",
        topics=(
            "photo.uploaded",
            "photo.unscanned",
            "photo.deleted",
            "photo.item_removed",
            "profile_image.uploaded",
            "profile_image.removed",
        ),
        module="workers.jobs.media.media",
        # Each job keeps a decoder process busy, so the default suits a small machine.
        concurrency=2,
        concurrency_help="Images processed at once by one process.",
    ),
    WorkerSpec(
        name="fanout",
        help="updates feeds and live connections after uploads, edits, follows, blocks, deletions and sign-outs",
        topics=(
            "photo.ready",
            "photo.imported",
            "photo.edited",
            "photo.audience_changed",
            "photo.deleted",
            "photo.hidden",
            "photo.restored",
            "photo.marked",
            "user.followed",
            "user.unfollowed",
            "user.blocked",
            "user.unblocked",
            "user.muted",
            "close_friend.changed",
            "user.changed",
            "presence.hidden",
            "session.ended",
        ),
        former_topics=("fanout.chunk",),
        module="workers.jobs.feeds.fanout",
        concurrency=8,
        concurrency_help="Feed updates at once by one process.",
    ),
    WorkerSpec(
        name="notify",
        help="creates notifications and publishes likes and comments",
        topics=(
            "photo.rejected",
            "photo.deleted",
            "like.added",
            "like.removed",
            "comment.added",
            "comment.deleted",
            "comment.edited",
            "comment.liked",
            "comment.unliked",
            "comment.pinned",
            "photo.ready",
            "photo.edited",
            "photo.hidden",
            "photo.restored",
            "photo.marked",
            "user.followed",
            "user.unfollowed",
            "case.decided",
            "appeal.answered",
            "security.noticed",
        ),
        former_topics=("user.blocked", "actor.removed"),
        module="workers.jobs.inbox.notify",
        concurrency=16,
        concurrency_help="Notifications at once by one process.",
    ),
    WorkerSpec(
        name="bulk",
        help="works off in batches what concerns many rows: large fan-outs, stars, deleted accounts, blocks",
        topics=(
            "fanout.chunk",
            "star.chunk",
            "account.deleted",
            "account.opened",
            "copies.outdated",
            "collections.outdated",
            "user.blocked",
            "activities.withdrawn",
            "actor.removed",
            "actor.visibility_changed",
            "bell.chunk",
            "replies.orphaned",
            "notifications.outdated",
        ),
        module="workers.jobs.bulk.bulk",
        # Each job is at work most of the time, and the other queues go before this one.
        concurrency=2,
        concurrency_help="Batches of bulk work at once by one process.",
    ),
    WorkerSpec(
        name="discover",
        help="counts the authors who use a tag, and finds accounts to follow",
        topics=("photo.ready", "photo.edited", "photo.audience_changed", "photo.restored", "suggestions.wanted"),
        module="workers.jobs.discovery.discover",
        concurrency=1,
        concurrency_help="Photos whose tags one process counts, and users for whom it finds accounts, at once.",
        # A queue of its own, so that no feed waits for it.
        runs_with="bulk",
    ),
    WorkerSpec(
        name="abuse",
        help="looks for spam in comments, captions and follows",
        topics=(
            "comment.added",
            "comment.edited",
            "photo.ready",
            "photo.held",
            "photo.imported",
            "photo.edited",
            "user.followed",
            "user.unfollowed",
        ),
        module="workers.jobs.moderation.abuse",
        concurrency=2,
        concurrency_help="Comments, captions and follows that one process looks at at once.",
        # A queue of its own, so that no notification waits for it.
        runs_with="notify",
    ),
    WorkerSpec(
        name="mail",
        help="sends mails",
        topics=("mail.requested", "password_reset.requested", "webhook.noticed"),
        module="workers.jobs.mails.mail",
        concurrency=4,
        concurrency_help="Mails that one process sends at once.",
        # A queue of its own, so that no notification waits for the mail server.
        runs_with="notify",
        # Six hours: greylisting takes one, and a mail server is repaired within some.
        least_deliveries=40,
    ),
    WorkerSpec(
        name="exports",
        help="makes the archives of accounts that their users download",
        topics=("export.requested",),
        module="workers.jobs.archives.exports",
        concurrency=1,
        concurrency_help="Exports of accounts made at once by one process.",
        # An export reads all originals of a user, for minutes. A queue of its own, so that no other bulk work waits.
        runs_with="bulk",
    ),
    WorkerSpec(
        name="imports",
        help="makes photos of the archives that users import",
        topics=("import.requested",),
        module="workers.jobs.archives.imports",
        concurrency=1,
        concurrency_help="Imports of archives worked off at once by one process.",
        # A turn takes half a minute, for which no other bulk work waits.
        runs_with="bulk",
    ),
    WorkerSpec(
        name="deferred",
        help="creates image variants of users with several photos in processing",
        topics=("photo.deferred",),
        module="workers.jobs.media.deferred",
        concurrency=1,
        concurrency_help="Images of users with several photos in processing, in addition to `media_concurrency`.",
        runs_with="media",
    ),
    WorkerSpec(
        name="variants",
        help="creates the image variants that are requested for the first time",
        topics=("variant.wanted",),
        module="workers.jobs.media.variants",
        concurrency=1,
        concurrency_help="Image variants created on request at once by one process, in addition to "
        "`media_concurrency`.",
        # In the process of the decoders, so that an installation of separate processes needs no further one.
        runs_with="media",
    ),
    WorkerSpec(
        name="video",
        help="converts videos for playback and creates their images",
        topics=("video.uploaded", "video.unscanned", "video.wanted"),
        module="workers.jobs.media.video",
        # A video takes up to two minutes of a core. A queue and a role of its own, so that no photo waits for it.
        concurrency=1,
        concurrency_help="Videos converted at once by one process.",
    ),
    WorkerSpec(
        name="webhooks",
        help="sends webhooks to the endpoints of subscribers",
        topics=(
            "photo.uploaded",
            "photo.deferred",
            "video.uploaded",
            "photo.held",
            "photo.ready",
            "photo.imported",
            "photo.rejected",
            "photo.deleted",
            "like.added",
            "comment.added",
            "user.followed",
            "webhook.noticed",
        ),
        module="workers.jobs.webhooks.webhooks",
        concurrency=4,
        concurrency_help="Events at once for which one process finds the webhooks; their messages are sent apart.",
    ),
    WorkerSpec(
        name="reviews",
        help="asks the moderation service of the settings what new photos show",
        topics=("photo.ready", "photo.held", "photo.imported"),
        module="workers.jobs.moderation.reviews",
        concurrency=4,
        concurrency_help="Photos at once about which one process asks the service at `moderation.service`.",
        # A queue of its own, so that no webhook waits for the service.
        runs_with="webhooks",
    ),
    WorkerSpec(
        name="deliver",
        help="sends notifications to devices and mail addresses",
        topics=("notification.changed",),
        module="workers.jobs.deliveries.deliver",
        concurrency=8,
        concurrency_help="News in inboxes at once for which one process finds the channels; they are sent apart.",
        # A queue of its own, so that no webhook waits for it, in the process that reaches other servers.
        runs_with="webhooks",
    ),
    WorkerSpec(
        name="purge",
        help="removes images that are not public any more from the caches in front of PicShare",
        topics=("media.purge", "media.purge_cache"),
        module="workers.jobs.caches.purge",
        concurrency=4,
        concurrency_help="Purges at once by one process; each sends up to eight requests at once to a cache.",
    ),
    WorkerSpec(
        name="forget",
        help="has caches forget the images that they hide",
        topics=("media.forget",),
        module="workers.jobs.caches.forget",
        concurrency=1,
        concurrency_help="Batches of hidden images that one process has caches forget at once.",
        # It takes twenty times as long as to hide them. A queue of its own, so that no purge waits for it.
        runs_with="purge",
    ),
    WorkerSpec(
        name="warm",
        help="has caches fetch new photos of authors with many followers, and photos that trend",
        topics=("photo.ready", "photo.trending"),
        module="workers.jobs.caches.warm",
        concurrency=1,
        concurrency_help="Photos at once that one process has caches fetch.",
        # A queue of its own, so that no purge waits for it.
        runs_with="purge",
    ),
)
