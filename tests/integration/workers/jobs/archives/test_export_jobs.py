"""Jobs of exports: in bounded memory, interrupted, repeated, expired, and of accounts that are deleted."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from storage.blobs.keys import export_key
from storage.blobs.port import Blob
from storage.errors import ConflictError, NotFoundError, UnavailableError
from storage.events import AccountDeleted
from storage.exports import Export, ExportState
from storage.ids import encode
from storage.models import User
from storage.stores.accounts import account_restrictions, erasure, users
from storage.stores.archives import exports
from storage.stores.notifications import notifications
from tests.support.community import new_user, new_users, ready_photo
from tests.support.exports import Exporter, archive_key, json_of
from tests.support.objects import has
from workers.jobs.upkeep.export_removal import ExportRetention

pytestmark = pytest.mark.engines


async def test_memory_does_not_grow_with_the_originals(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 MB of originals only some chunks are in memory at once."""
    ada = await new_user(exporter.db, "ada")
    for number in range(4):
        await ready_photo(exporter.db, ada, sha256=hashlib.sha256(str(number).encode()).hexdigest())
    size, chunk = 50_000_000, bytes(250_000)

    async def chunks(start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        del start, end
        for _ in range(size // len(chunk)):
            yield chunk

    async def open_(key: str) -> Blob:
        found = await exporter.stage.blobs.head(key) if key.startswith("export/") else None
        assert found is None
        return Blob(size=size, content_type="image/jpeg", modified=ada.created_at, path=None, chunks=chunks)

    monkeypatch.setattr(exporter.stage.blobs, "open", open_)
    event = await exporter.request(ada)
    tracemalloc.start()
    try:
        export = await exporter.handle(event)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert export.bytes is not None
    assert export.bytes > 4 * size
    assert peak < 8_000_000


async def test_no_connection_is_held_while_a_blob_is_read_or_written(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has all its connections whenever bytes of an original pass."""
    ada = await new_user(exporter.db, "ada")
    await exporter.photo(ada)
    before, held = exporter.stage.blobs.open, []

    async def open_(key: str) -> Blob:
        held.append(
            await exporter.db.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
        )
        return await before(key)

    monkeypatch.setattr(exporter.stage.blobs, "open", open_)
    assert (await exporter.handle(await exporter.request(ada))).state is ExportState.READY
    assert held == [0]


@pytest.mark.parametrize("step", ["put", "stored", "finish", "record"])
async def test_an_interrupted_job_is_begun_again(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it ends, the repetition of its event makes one archive, and one notification."""
    ada = await new_user(exporter.db, "ada")
    await exporter.photo(ada, b"mine")
    event = await exporter.request(ada)
    put = exporter.stage.blobs.put

    async def fail(*_args: object, **_options: object) -> None:
        raise UnavailableError("blobs", "interrupted")

    async def put_and_fail(key: str, data: Any, *, content_type: str) -> None:
        await put(key, data, content_type=content_type)
        await fail()

    with monkeypatch.context() as patch:
        match step:
            case "put":
                patch.setattr(exporter.stage.blobs, "put", fail)
            case "stored":
                patch.setattr(exporter.stage.blobs, "put", put_and_fail)
            case "finish":
                patch.setattr(exports, "finish", fail)
            case _:
                patch.setattr(exporter.inbox, "record", fail)
        with pytest.raises(UnavailableError):
            await exporter.handle(event)
    for _ in range(2):
        assert (await exporter.handle(event)).state is ExportState.READY
    assert [name for name in (await exporter.archive(event)).namelist() if name.startswith("photos/")]
    listed = await notifications.inbox(exporter.db, ada.id, before=None, limit=10)
    assert [(each.kind.value, each.text) for each in listed] == [
        ("export_ready", "Your export is ready to be downloaded")
    ]


async def test_a_failed_write_leaves_no_object(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stops answering in the middle of an original leaves the export running, without an archive."""
    ada = await new_user(exporter.db, "ada")
    photo = await exporter.photo(ada)

    async def chunks(start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        del start, end
        yield b"some"
        raise UnavailableError("blobs", "no response")

    async def open_(_key: str) -> Blob:
        return Blob(size=9, content_type="image/jpeg", modified=photo.created_at, path=None, chunks=chunks)

    event = await exporter.request(ada)
    monkeypatch.setattr(exporter.stage.blobs, "open", open_)
    with pytest.raises(UnavailableError):
        await exporter.handle(event)
    assert (await exports.get(exporter.db, event.export_id)).state is ExportState.RUNNING
    assert not await has(exporter.stage.blobs, archive_key(event))


async def test_one_export_a_day(exporter: Exporter) -> None:
    """And one at a time; one that has failed does not count."""
    ada, ben = await new_users(exporter.db, "ada", "ben")
    event = await exporter.request(ada)
    with pytest.raises(ConflictError) as error:
        await exporter.request(ada)
    assert error.value.code == "export_in_progress"
    await exporter.handle(event)
    with pytest.raises(ConflictError, match=r"next one is possible at \d{4}-\d\d-\d\d \d\d:\d\d UTC") as error:
        await exporter.request(ada)
    assert error.value.code == "export_too_soon"
    await exporter.request(ben)
    await exporter.age(days=1)
    retention = ExportRetention(exporter.db, exporter.stage.blobs)
    assert await retention.fail_lost() == 1
    assert [each.state for each in await exports.of_user(exporter.db, ben.id)] == [ExportState.FAILED]
    assert [each.state for each in await exports.of_user(exporter.db, ada.id)] == [ExportState.READY]
    await exporter.request(ada)
    await exporter.request(ben)


async def test_an_event_of_a_failed_export_makes_nothing(exporter: Exporter) -> None:
    """An operator may have requeued a dead letter too late."""
    ada = await new_user(exporter.db, "ada")
    event = await exporter.request(ada)
    await exporter.age(days=2)
    assert await ExportRetention(exporter.db, exporter.stage.blobs).fail_lost() == 1
    assert (await exporter.handle(event)).state is ExportState.FAILED
    assert not await has(exporter.stage.blobs, archive_key(event))


async def test_archives_expire_after_a_week(exporter: Exporter) -> None:
    """Their rows are kept for a month."""
    ada = await new_user(exporter.db, "ada")
    event = await exporter.request(ada)
    await exporter.handle(event)
    retention = ExportRetention(exporter.db, exporter.stage.blobs)
    await exporter.age(days=6.9)
    assert await retention.expire() == 0
    assert await has(exporter.stage.blobs, archive_key(event))
    await exporter.age(days=0.2)
    assert await retention.expire() == 1
    assert not await has(exporter.stage.blobs, archive_key(event))
    assert [each.state for each in await exports.of_user(exporter.db, ada.id)] == [ExportState.EXPIRED]
    assert await retention.expire() == await retention.forget() == 0
    await exporter.age(days=30)
    assert await retention.forget() == 1
    assert await exports.of_user(exporter.db, ada.id) == []


async def test_archives_without_a_row_are_removed(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """But neither new ones, which a job may be writing, nor those of exports, also of one that is running."""
    ada, ben = await new_users(exporter.db, "ada", "ben")
    running = await exporter.request(ben)
    async with exporter.db.transaction() as tx:
        await exports.begin(tx, running.export_id)
    await exporter.stage.blobs.put(archive_key(running), b"begun", content_type="application/zip")
    event = await exporter.request(ada)
    await exporter.handle(event)
    lost = export_key(encode(event.export_id + 1024))
    await exporter.stage.blobs.put(lost, b"lost", content_type="application/zip")
    retention = ExportRetention(exporter.db, exporter.stage.blobs)
    assert await retention.remove_unclaimed() == 0
    monkeypatch.setattr("workers.jobs.upkeep.export_removal._UNCLAIMED_AFTER", timedelta(0))
    assert await retention.remove_unclaimed() == 1
    assert not await has(exporter.stage.blobs, lost)
    assert await has(exporter.stage.blobs, archive_key(event))
    assert await has(exporter.stage.blobs, archive_key(running))


async def remove(exporter: Exporter, user: User) -> AccountDeleted:
    """Delete an account and return the event of its erasure."""
    async with exporter.db.transaction() as tx:
        await users.remove(tx, user.id)
        return next(event for event in tx.events if isinstance(event, AccountDeleted))


async def test_a_suspended_account_is_exported(exporter: Exporter) -> None:
    """With its photos, which others do not see any more."""
    ada = await new_user(exporter.db, "ada")
    photo = await exporter.photo(ada, b"mine")
    async with exporter.db.transaction() as tx:
        await account_restrictions.suspend(tx, ada.id)
    archive = await exporter.made(ada)
    assert [each["id"] for each in json_of(archive, "photos.json")] == [encode(photo.id)]
    assert f"photos/{encode(photo.id)}.jpg" in archive.namelist()


async def test_a_deleted_account_takes_its_archive_with_it(exporter: Exporter) -> None:
    """The object goes with the first batch of the erasure, and the row after the grace period."""
    ada = await new_user(exporter.db, "ada")
    event = await exporter.request(ada)
    await exporter.handle(event)
    deleted = await remove(exporter, ada)
    with pytest.raises(NotFoundError):
        await exports.get(exporter.db, event.export_id)
    await exporter.stage.bulk[deleted.topic](deleted)
    assert not await has(exporter.stage.blobs, archive_key(event))
    erasing = True
    while erasing:
        async with exporter.db.transaction() as tx:
            erasing = await erasure.erase(tx, ada.id, grace_minutes=0)
    assert await exports.ids_of(exporter.db, ada.id) == []


async def test_an_account_that_is_deleted_while_its_archive_is_made(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job deletes what it has written."""
    ada = await new_user(exporter.db, "ada")
    await exporter.photo(ada)
    event = await exporter.request(ada)
    put = exporter.stage.blobs.put

    async def put_and_remove(key: str, data: Any, *, content_type: str) -> None:
        await put(key, data, content_type=content_type)
        deleted = await remove(exporter, ada)
        await exporter.stage.bulk[deleted.topic](deleted)
        await put(key, b"written after the erasure", content_type=content_type)

    monkeypatch.setattr(exporter.stage.blobs, "put", put_and_remove)
    await exporter.worker.requested(event)
    assert not await has(exporter.stage.blobs, archive_key(event))
    await exporter.worker.requested(event)
    assert await exports.state_of(exporter.db, event.export_id) is None


async def test_only_a_running_export_of_an_account_becomes_ready(exporter: Exporter) -> None:
    """Not one that has failed meanwhile, nor one of a deleted account."""
    ada, ben = await new_users(exporter.db, "ada", "ben")
    running: list[Export] = []
    for user in (ada, ben):
        event = await exporter.request(user)
        async with exporter.db.transaction() as tx:
            export = await exports.begin(tx, event.export_id)
        assert export is not None
        running.append(export)
    await exporter.age(days=1)
    async with exporter.db.transaction() as tx:
        assert await exports.fail_lost(tx, after=timedelta(days=1), limit=1) == 1
    await remove(exporter, ben)
    for export in running:
        async with exporter.db.transaction() as tx:
            assert await exports.finish(tx, export, size=1, photos=0) is None
    assert await exporter.db.fetchval("SELECT count(*) FROM exports WHERE state = 'ready'") == 0
