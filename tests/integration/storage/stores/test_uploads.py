"""Uploads that are not photos yet: whose they are, which request may append to them, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.errors import ConflictError, NotFoundError
from storage.models import User
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.photos import uploads
from storage.stores.photos.uploads import Upload, UploadWay
from tests.support.community import new_users

pytestmark = pytest.mark.engines

DAY = timedelta(days=1)
LEASE = timedelta(seconds=10)
PASSED = timedelta(seconds=-1)


async def announce(database: Database, user: User, **fields: Any) -> Upload:
    """Announce an upload of 9 bytes."""
    async with database.transaction() as tx:
        return await uploads.create(tx, user_id=user.id, **{"way": UploadWay.TUS, "size": 9, "ttl": DAY, **fields})


async def leased(database: Database, upload: Upload, *, ttl: timedelta = LEASE) -> int:
    """Lease an upload."""
    lease = await uploads.acquire(database, upload.id, ttl=ttl)
    assert lease is not None
    return lease


async def append(database: Database, upload: Upload, lease: int, *, offset: int = 0, size: int = 4) -> bool:
    """Record a part whose key is its offset."""
    return await uploads.append(
        database, upload.id, lease, offset=offset, key=f"part-{offset}", size=size, whole_sha256=None
    )


async def test_an_upload_is_as_announced(database: Database) -> None:
    """All that was announced is read again, by its user alone and until it expires."""
    ann, ben = await new_users(database, "ann", "ben")
    begin = datetime.now(UTC)
    upload = await announce(
        database, ann, way=UploadWay.SIGNED, content_type="image/png", sha256="a" * 64, metadata="filename eA=="
    )
    assert (upload.way, upload.bytes, upload.content_type) == (UploadWay.SIGNED, 9, "image/png")
    assert (upload.sha256, upload.metadata) == ("a" * 64, "filename eA==")
    assert (upload.received, upload.parts, upload.received_sha256, upload.used) == (0, (), None, False)
    assert abs(upload.expires_at - begin - DAY) < timedelta(minutes=1)
    assert await uploads.get(database, upload.id, user_id=ann.id) == upload
    past = await announce(database, ann, ttl=PASSED)
    for upload_id, user in ((upload.id, ben), (past.id, ann), (upload.id + 1024, ann)):
        with pytest.raises(NotFoundError):
            await uploads.get(database, upload_id, user_id=user.id)
    assert [await uploads.exists(database, each) for each in (past.id, upload.id + 1024)] == [True, False]


async def test_open_uploads_of_a_user_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of others, and those that have become photos, do not count."""
    monkeypatch.setattr(uploads, "MAX_OPEN", 2)
    ann, ben = await new_users(database, "ann", "ben")
    await announce(database, ben)
    used, _ = await announce(database, ann), await announce(database, ann)
    with pytest.raises(ConflictError, match="2 uploads wait"):
        await announce(database, ann)
    async with database.transaction() as tx:
        await uploads.use(tx, used.id)
    await announce(database, ann)
    with pytest.raises(ConflictError):
        await announce(database, ann)


async def test_a_deleted_account_announces_nothing(database: Database) -> None:
    """A request that was under way while its account was deleted leaves no upload."""
    ann, ben = await new_users(database, "ann", "ben")
    async with database.transaction() as tx:
        await users.remove(tx, ann.id)
    with pytest.raises(NotFoundError):
        await announce(database, ann)
    await announce(database, ben)


async def test_one_request_appends_at_a_time(database: Database) -> None:
    """A lease keeps all others off until it ends or expires; the others' uploads are not leased by it."""
    (ann,) = await new_users(database, "ann")
    upload, other = await announce(database, ann), await announce(database, ann)
    lease = await leased(database, upload)
    assert await uploads.acquire(database, upload.id, ttl=LEASE) is None
    await uploads.release(database, upload.id, lease + 1)
    await uploads.release(database, other.id, lease)
    assert await uploads.acquire(database, upload.id, ttl=LEASE) is None
    await uploads.release(database, upload.id, lease)
    await leased(database, other)
    again = await leased(database, upload, ttl=PASSED)
    assert again != lease
    await leased(database, upload)
    async with database.transaction() as tx:
        await uploads.use(tx, upload.id)
        await tx.execute("UPDATE uploads SET lease_until = now() - interval '1 s'")
    assert await uploads.acquire(database, upload.id, ttl=LEASE) is None


async def test_a_lease_is_renewed_by_its_holder(database: Database) -> None:
    """A request whose lease has passed to another cannot renew it."""
    (ann,) = await new_users(database, "ann")
    upload, other = await announce(database, ann), await announce(database, ann)
    first = await leased(database, upload, ttl=PASSED)
    assert not await uploads.renew(database, other.id, first, ttl=LEASE)
    assert await uploads.renew(database, upload.id, first, ttl=LEASE)
    assert await uploads.acquire(database, upload.id, ttl=LEASE) is None
    assert await uploads.renew(database, upload.id, first, ttl=PASSED)
    second = await leased(database, upload)
    assert not await uploads.renew(database, upload.id, first, ttl=LEASE)
    assert await uploads.renew(database, upload.id, second, ttl=LEASE)


async def test_parts_are_recorded_in_their_order(database: Database) -> None:
    """A part follows the bytes before it and ends its lease; one of a lost lease, or at another offset, is refused."""
    (ann,) = await new_users(database, "ann")
    upload, other = await announce(database, ann), await announce(database, ann)
    lost = await leased(database, upload, ttl=PASSED)
    lease = await leased(database, upload)
    assert not await append(database, upload, lost)
    assert not await append(database, other, lease)
    assert await append(database, upload, lease)
    second = await leased(database, upload)
    assert not await append(database, upload, second)
    assert await append(database, upload, second, offset=4, size=5)
    found = await uploads.get(database, upload.id, user_id=ann.id)
    assert (found.received, found.parts, found.received_sha256) == (9, ("part-0", "part-4"), None)
    assert (await uploads.get(database, other.id, user_id=ann.id)).received == 0


async def test_the_hash_of_the_whole_is_kept(database: Database) -> None:
    """An upload that arrives in one part has its hash."""
    (ann,) = await new_users(database, "ann")
    upload = await announce(database, ann)
    lease = await leased(database, upload)
    assert await uploads.append(database, upload.id, lease, offset=0, key="k", size=9, whole_sha256="b" * 64)
    assert (await uploads.get(database, upload.id, user_id=ann.id)).received_sha256 == "b" * 64


async def test_an_upload_is_used_once(database: Database) -> None:
    """A second use is a conflict; the row stays for an hour, or for its own time if that is shorter."""
    (ann,) = await new_users(database, "ann")
    long, short, other = [await announce(database, ann, ttl=ttl) for ttl in (DAY, timedelta(minutes=9), DAY)]
    async with database.transaction() as tx:
        await uploads.use(tx, long.id)
        await uploads.use(tx, short.id)
    with pytest.raises(ConflictError, match="photo already"):
        async with database.transaction() as tx:
            await uploads.use(tx, long.id)
    left = [await uploads.get(database, each.id, user_id=ann.id) for each in (long, short, other)]
    assert [each.used for each in left] == [True, True, False]
    assert left[0].expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert left[0].expires_at - datetime.now(UTC) > timedelta(minutes=59)
    assert [each.expires_at for each in left[1:]] == [short.expires_at, other.expires_at]


async def test_expired_uploads_are_listed_oldest_first(database: Database) -> None:
    """As many as asked for; a deletion concerns one of them and reports whether there was one."""
    (ann,) = await new_users(database, "ann")
    made = [await announce(database, ann, ttl=timedelta(minutes=minutes)) for minutes in (-1, -3, -2, 1)]
    one, three, two, _ = (each.id for each in made)
    assert await uploads.expired(database, limit=2) == [three, two]
    assert await uploads.expired(database, limit=9) == [three, two, one]
    assert [await uploads.delete(database, three) for _ in range(2)] == [True, False]
    assert await uploads.expired(database, limit=9) == [two, one]
