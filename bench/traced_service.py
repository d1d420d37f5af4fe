"""`picshare` that writes the time of each step of a like and of a photo to the file that BENCH_MARKS names.

A step is marked when the function is called that begins it, or returns that ends it. A mark is a line with its name and
the time of `time.perf_counter`, which is the same clock in all processes of a machine. It costs some microseconds.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from channels.hub.hub import Hub
from server.actions.reactions import ReactionActions
from server.cli import main
from storage.feeds.feeds import Feeds
from storage.feeds.notification_log import NotificationLog
from storage.postgres import outbox
from storage.postgres.notifier import Notifier
from storage.postgres.row_locks import RowLock
from storage.stores import account_lists
from storage.stores.notifications import notification_groups, notifications
from storage.stores.photos import likes
from workers.broker.claims import ClaimConnection
from workers.jobs.feeds.fanout import FanoutHandlers
from workers.jobs.inbox.inbox import Inbox
from workers.jobs.inbox.notify import NotifyHandlers
from workers.jobs.media.images import ImageMaker
from workers.jobs.media.media import MediaHandlers

FILE = "BENCH_MARKS"
QUEUES = ("notify", "media", "fanout")  # whose claims are marked

Mark = Callable[[str], None]


def trace(mark: Mark) -> None:
    """Replace the functions that begin or end a step."""
    _before(mark, ReactionActions, "like", "action")
    _before(mark, likes, "add", "begun")
    _before(mark, outbox, "insert", "liked")
    _after(mark, outbox, "insert", "emitted")
    _before(mark, Notifier, "notify", "committed")
    _trace_claims(mark)
    _before(mark, NotifyHandlers, "like_changed", "decoded event")
    _before(mark, Inbox, "_change_and_publish", "in turn")
    _before(mark, RowLock, "__init__", "lock held")
    _before(mark, Inbox, "_apply", "locked")
    _before(mark, notification_groups, "record", "looked up")
    _after(mark, account_lists, "summaries", "named")
    _after(mark, notification_groups, "record", "recorded")
    _after(mark, notifications, "inbox_state", "read back")
    _before(mark, NotificationLog, "push", "pushed")
    _before(mark, MediaHandlers, "_process", "processing")
    _before(mark, ImageMaker, "decode", "decoding")
    _after(mark, ImageMaker, "decode", "decoded image")
    _before(mark, MediaHandlers, "_publish", "stored")
    _before(mark, FanoutHandlers, "ready", "fan-out")
    _before(mark, Feeds, "insert", "rendered")
    _before(mark, Hub, "deliver", "delivered")


def _trace_claims(mark: Mark) -> None:
    claim = ClaimConnection.claim

    async def marked(self: ClaimConnection, queue: str) -> Any:
        if queue in QUEUES:
            mark(f"{queue} woken")
        message = await claim(self, queue)
        if queue in QUEUES and message is not None:
            mark(f"{queue} claimed")
        return message

    ClaimConnection.claim = marked  # type: ignore[method-assign]


def _before(mark: Mark, owner: Any, name: str, step: str) -> None:
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def marked(*args: Any, **options: Any) -> Any:
        mark(step)
        return function(*args, **options)

    setattr(owner, name, marked)


def _after(mark: Mark, owner: Any, name: str, step: str) -> None:
    function: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(function)
    async def marked(*args: Any, **options: Any) -> Any:
        result = await function(*args, **options)
        mark(step)
        return result

    setattr(owner, name, marked)


if __name__ == "__main__":
    marks = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(step: str) -> None:
        """Append a mark."""
        os.write(marks, f"{step}\t{time.perf_counter():.7f}\n".encode())

    trace(write)
    main()
