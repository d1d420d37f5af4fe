"""Contents and their leases in a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from storage.errors import UnavailableError
from storage.models import ProfileImageKind
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import account_fields
from storage.stores.media import contents, profile_images, variants
from storage.stores.media.contents import Content, ContentState, Lease, Removal
from storage.stores.photos import photo_deletion, photos
from tests.support.community import new_user, processing_photo, ready_photo
from tests.support.eventually import DEADLINE
from tests.support.locks import wait_for_blocked_transaction
from tests.support.originals import LEASES_AGE, REMOVALS_AGE

pytestmark = pytest.mark.engines

SHA256 = "a" * 64


async def _acquire(database: Database) -> Lease | None:
    async with database.transaction() as tx:
        return await contents.acquire(tx, sha256=SHA256, size=9, content_type="image/jpeg")


async def _leased(database: Database) -> Lease:
    lease = await _acquire(database)
    assert lease is not None
    return lease


async def _begin(database: Database) -> Removal | None:
    async with database.transaction() as tx:
        return await contents.begin_removal(tx, SHA256)


async def _release(database: Database, lease: Lease) -> bool:
    async with database.transaction() as tx:
        return await contents.release(tx, lease)


async def _complete(database: Database, lease: Lease) -> None:
    async with database.transaction() as tx:
        await contents.complete(tx, lease)


async def _state(database: Database) -> str | None:
    state: str | None = await database.fetchval("SELECT state FROM contents WHERE sha256 = $1", SHA256)
    return state


async def test_a_content_is_recorded_before_it_is_stored(database: Database) -> None:
    """The first lease creates the row in state `storing`; the completion makes it `stored`, for later ones as well."""
    lease = await _leased(database)
    row = await database.fetchrow("SELECT state, size, content_type FROM contents WHERE sha256 = $1", SHA256)
    assert row is not None
    assert tuple(row) == ("storing", 9, "image/jpeg")
    await _complete(database, lease)
    assert await _state(database) == "stored"
    await _leased(database)
    assert await _state(database) == "stored"


async def test_uploads_of_the_same_bytes_do_not_wait_for_each_other(database: Database) -> None:
    """Two leases of one content last at the same time, and each ends by itself."""
    first, second = await _leased(database), await _leased(database)
    await _complete(database, first)
    assert await _begin(database) is None
    assert await _release(database, second)
    assert await _begin(database) is not None


async def test_a_content_with_a_photo_is_not_removed(database: Database) -> None:
    """A removal begins only after the last photo with the content is deleted."""
    ann = await new_user(database, "ann")
    await _complete(database, await _leased(database))
    made = [await processing_photo(database, ann, sha256=SHA256) for _ in range(2)]
    for photo in made:
        assert await _begin(database) is None
        async with database.transaction() as tx:
            await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await _begin(database) is not None


async def test_a_content_in_removal_cannot_be_leased(database: Database) -> None:
    """While blobs are being deleted there is no lease and no second removal; afterwards the content is new."""
    await _complete(database, await _leased(database))
    removal = await _begin(database)
    assert removal is not None
    assert await _acquire(database) is None
    assert await _begin(database) is None
    async with database.transaction() as tx:
        await contents.end_removal(tx, removal)
    await _leased(database)
    assert await _state(database) == "storing"


async def test_an_expired_lease_protects_nothing(database: Database) -> None:
    """An expired lease is listed and does not stop a removal, which deletes it; its holder gets an error."""
    lease = await _leased(database)
    assert await contents.with_expired_leases(database, limit=9) == []
    await database.fetch(LEASES_AGE, contents.LEASE_TTL)
    assert await contents.with_expired_leases(database, limit=9) == [SHA256]
    assert await _begin(database) is not None
    with pytest.raises(UnavailableError, match="took too long"):
        await _complete(database, lease)
    assert not await _release(database, lease)
    assert await _state(database) == "deleting"


async def test_a_stale_removal_is_taken_over(database: Database) -> None:
    """A removal that does not end is taken over once it is stale, and the first process cannot end it any more."""
    await _complete(database, await _leased(database))
    first = await _begin(database)
    assert first is not None

    async def take_over() -> Removal | None:
        async with database.transaction() as tx:
            return await contents.take_over_removal(tx)

    assert await take_over() is None
    await database.fetch(REMOVALS_AGE, contents.REMOVAL_STALE + timedelta(seconds=1))
    second = await take_over()
    assert second is not None
    assert await take_over() is None
    for removal, state in ((first, "deleting"), (second, None)):
        async with database.transaction() as tx:
            await contents.end_removal(tx, removal)
        assert await _state(database) == state


async def test_a_removal_waits_for_the_creation_of_a_photo(database: Database) -> None:
    """A removal during the transaction that creates a photo waits for it, and then does nothing."""
    ann = await new_user(database, "ann")
    lease = await _leased(database)

    async def create(tx: Transaction) -> None:
        await photos.create(
            tx,
            author_id=ann.id,
            sha256=SHA256,
            content_type="image/jpeg",
            bytes=9,
            width=1,
            height=1,
            caption="",
            alt_text="",
            tags=(),
            location=None,
        )

    async with database.transaction() as tx:
        await contents.complete(tx, lease)
        removing = asyncio.create_task(_begin(database))
        await wait_for_blocked_transaction(database)
        await create(tx)
    assert await removing is None
    assert await _state(database) == "stored"


async def test_a_lease_waits_for_a_removal_that_begins(database: Database) -> None:
    """A lease during the beginning of a removal waits for it, and is refused."""
    await _complete(database, await _leased(database))
    async with database.transaction() as tx:
        assert await contents.begin_removal(tx, SHA256) is not None
        leasing = asyncio.create_task(_acquire(database))
        await wait_for_blocked_transaction(database)
    assert await leasing is None


async def test_a_lease_of_a_stored_content(database: Database) -> None:
    """Only a content whose original is stored is leased so; the lease keeps a removal off until it ends."""
    assert await contents.lease_stored(database, SHA256) is None
    upload = await _leased(database)
    assert await contents.lease_stored(database, SHA256) is None
    await _complete(database, upload)
    lease = await contents.lease_stored(database, SHA256)
    assert lease is not None
    assert await _begin(database) is None
    async with database.transaction() as tx:
        assert await contents.release(tx, lease)
    assert await _begin(database) is not None
    assert await contents.lease_stored(database, SHA256) is None


async def test_a_lease_of_a_stored_content_waits_for_a_removal_that_begins(database: Database) -> None:
    """A lease during the beginning of a removal waits for it, and is refused: the variants would be left behind."""
    await _complete(database, await _leased(database))
    async with database.transaction() as tx:
        assert await contents.begin_removal(tx, SHA256) is not None
        leasing = asyncio.create_task(contents.lease_stored(database, SHA256))
        await wait_for_blocked_transaction(database)
    assert await leasing is None


async def test_other_contents_do_not_change(database: Database) -> None:
    """Each step concerns one content and one lease, however many are in the same state."""
    others = ["b" * 64, "c" * 64]

    async def states() -> list[str]:
        rows = await database.fetch("SELECT state FROM contents WHERE sha256 <> $1 ORDER BY sha256", SHA256)
        return [row["state"] for row in rows]

    async with database.transaction() as tx:
        leases = [await contents.acquire(tx, sha256=sha256, size=1, content_type="image/png") for sha256 in others]
    await _complete(database, await _leased(database))
    assert (await _state(database), await states()) == ("stored", ["storing", "storing"])
    await database.fetch(LEASES_AGE, contents.LEASE_TTL)
    removal = await _begin(database)
    assert removal is not None
    assert await database.fetchval("SELECT count(*) FROM content_leases") == 2
    async with database.transaction() as tx:
        second = await contents.begin_removal(tx, others[0])
        await contents.end_removal(tx, removal)
    assert second is not None
    assert (await _state(database), await states()) == (None, ["deleting", "storing"])
    assert leases[1] is not None
    assert await _release(database, leases[1])
    assert await states() == ["deleting", "storing"]


async def test_the_oldest_stale_removal_is_taken_over_first(database: Database) -> None:
    """One that another process is taking over at this moment is skipped, and a recent one is not stale."""
    names = [letter * 64 for letter in "abcd"]
    async with database.transaction() as tx:
        for sha256, minutes in zip(names, (10, 30, 20, 1), strict=True):
            await contents.acquire(tx, sha256=sha256, size=1, content_type="image/png", ttl=timedelta(0))
            assert await contents.begin_removal(tx, sha256) is not None
            await tx.execute(
                "UPDATE contents SET deleting_since = now() - make_interval(mins => $2) WHERE sha256 = $1",
                sha256,
                minutes,
            )
    async with database.transaction() as first:
        # The index would give the oldest first by itself, the table does not.
        for plan in ("indexscan", "bitmapscan"):
            await first.execute(f"SET LOCAL enable_{plan} = off")
        one = await contents.take_over_removal(first)
        async with asyncio.timeout(DEADLINE), database.transaction() as second:
            two = await contents.take_over_removal(second)
    async with database.transaction() as tx:
        three, four = await contents.take_over_removal(tx), await contents.take_over_removal(tx)
    assert [removal and removal.sha256[0] for removal in (one, two, three, four)] == ["b", "c", "a", None]


async def test_expired_leases_are_listed_once_for_each_content(database: Database) -> None:
    """A content with several expired leases is listed once, and leases that last are not."""
    for _ in range(3):
        await _leased(database)
    await database.fetch(LEASES_AGE, contents.LEASE_TTL)
    async with database.transaction() as tx:
        await contents.acquire(tx, sha256="b" * 64, size=1, content_type="image/png", ttl=timedelta(0))
        await contents.acquire(tx, sha256="c" * 64, size=1, content_type="image/png")
    assert sorted(await contents.with_expired_leases(database, limit=9)) == [SHA256, "b" * 64]
    assert len(await contents.with_expired_leases(database, limit=1)) == 1


async def test_contents_are_found_by_their_hash(database: Database) -> None:
    """A content is read with its state, and an unknown one is None, also while others are there."""
    await _leased(database)
    assert await contents.find(database, "b" * 64) is None
    found = Content(sha256=SHA256, size=9, content_type="image/jpeg", state=ContentState.STORING)
    async with database.transaction() as tx:
        await contents.acquire(tx, sha256="0" * 64, size=1, content_type="image/png")
    assert await contents.find(database, SHA256) == found


async def test_contents_are_paged_in_the_order_of_their_hashes(database: Database) -> None:
    """A page begins behind a hash and has at most as many contents as asked for."""
    async with database.transaction() as tx:
        for letter in "dbca":
            await contents.acquire(tx, sha256=letter * 64, size=1, content_type="image/png")
        # The index would give them in order by itself, the table does not.
        for plan in ("indexscan", "bitmapscan", "indexonlyscan"):
            await tx.execute(f"SET LOCAL enable_{plan} = off")
        pages = [await contents.page(tx, after=after * 64, limit=3) for after in ("", "a", "c", "d")]
    assert ["".join(content.sha256[0] for content in page) for page in pages] == ["abc", "bcd", "d", ""]


async def test_what_uses_a_content(database: Database) -> None:
    """Photos and profile images do: in any state for its existence, and as ready ones for its visibility to all."""
    ann = await new_user(database, "ann")
    photo = await ready_photo(database, ann, sha256="b" * 64)
    await processing_photo(database, ann, sha256="c" * 64)

    async def uses(letter: str) -> tuple[bool, bool]:
        sha256 = letter * 64
        return await contents.is_referenced(database, sha256), await contents.is_public(database, sha256)

    async with database.transaction() as tx:
        for kind, letter in ((ProfileImageKind.AVATAR, "d"), (ProfileImageKind.BANNER, "e")):
            await profile_images.create(
                tx, user_id=ann.id, kind=kind, sha256=letter * 64, content_type="image/jpeg", size=9
            )
        assert await profile_images.mark_ready(tx, ann.id, ProfileImageKind.BANNER, "e" * 64)
    assert [await uses(letter) for letter in "abcde"] == [
        (False, False),
        (True, True),
        (True, False),
        (True, False),
        (True, True),
    ]
    async with database.transaction() as tx:
        await account_fields.update(tx, ann.id, private=True)
    assert [await uses(letter) for letter in "be"] == [(True, False), (True, True)]
    async with database.transaction() as tx:
        await photo_deletion.delete(tx, photo.id, author_id=ann.id)
    assert await uses("b") == (False, False)


async def test_the_rows_of_variants_are_deleted_with_their_content(database: Database) -> None:
    """Only those of the content whose removal ends."""
    await _complete(database, await _leased(database))
    async with database.transaction() as tx:
        for letter in "ab":
            await variants.record(tx, letter * 64, recipe=1, sizes={"320.jpg": 9})
    removal = await _begin(database)
    assert removal is not None
    async with database.transaction() as tx:
        await contents.end_removal(tx, removal)
    assert await database.fetchval("SELECT string_agg(sha256, ',') FROM variants") == "b" * 64
