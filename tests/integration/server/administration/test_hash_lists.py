"""The commands about lists of known images."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.administration import abuse_findings, hash_lists, hash_scan
from server.config.settings import Settings
from server.errors import InputError
from storage.abuse import AbuseAction
from storage.errors import NotFoundError
from storage.models import PhotoState
from storage.perceptual_hashes import MediaHash
from storage.postgres.database import Database
from storage.reports import Category
from storage.stores.photos import media_hashes, photos
from tests.support.community import new_users, ready_photo
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines


@pytest.fixture
def settings(database_dsn: str, valkey_url: str) -> Settings:
    """The settings of an installation."""
    return Settings().with_values("database", url=database_dsn).with_values("redis", url=valkey_url)


async def test_a_list_is_loaded_used_and_removed(settings: Settings, tmp_path: Path) -> None:
    """What `check` prints is a line of a list; with it the image is found, and no longer once the list is removed."""
    rocket, cat = photograph("rocket"), photograph("cat")
    one, matches = await hash_lists.check(settings, rocket)
    assert (matches, one.comparable) == ([], True)
    path = tmp_path / "list.csv"
    path.write_text(
        f"# known\npdq,{one.pdq}\nsha256,{one.sha256}\n" + "".join(f"pdq,{n:064x}\n" for n in range(1, 2001))
    )
    added = await hash_lists.add(settings, "known", AbuseAction.HIDE, Category.SPAM, path)
    assert (added.entries, added.added) == (2002, 2002)
    again = await hash_lists.add(settings, "known", AbuseAction.HIDE, Category.SPAM, path)
    assert (again.entries, again.added) == (2002, 0)
    (listed,) = await hash_lists.all_lists(settings)
    assert (listed.name, listed.action, listed.originals, listed.images) == ("known", AbuseAction.HIDE, 1, 2001)
    _, matches = await hash_lists.check(settings, rocket)
    assert [(match.list_name, match.entry, match.distance) for match in matches] == [("known", one.sha256, None)]
    assert (await hash_lists.check(settings, cat))[1] == []
    assert await hash_lists.remove(settings, "known") == 2002
    assert (await hash_lists.check(settings, rocket))[1] == []


async def test_refused_input(settings: Settings, database: Database, tmp_path: Path) -> None:
    """A name, a file or an image that is none is refused, and nothing is stored."""
    path = tmp_path / "list.csv"
    path.write_text(f"pdq,{'0f' * 32}\nsha1,{'0f' * 20}\n")
    with pytest.raises(InputError, match="line 2"):
        await hash_lists.add(settings, "known", AbuseAction.HOLD, Category.SPAM, path)
    for name in ("", "Known", "-x", "a b", "x" * 51):
        with pytest.raises(InputError, match="no name of a list"):
            await hash_lists.add(settings, name, AbuseAction.HOLD, Category.SPAM, path)
    with pytest.raises(InputError, match="cannot be checked: the file is not a picture"):
        await hash_lists.check(settings, path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        await hash_lists.check(settings, tmp_path / "missing.jpg")
    with pytest.raises(NotFoundError):
        await hash_lists.remove(settings, "known")
    assert await database.fetchval("SELECT count(*) FROM hash_lists") == 0


async def test_photos_that_are_there_are_compared(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo whose picture a new list has is held, and found once; the list of findings has it."""
    monkeypatch.setattr(hash_scan, "_PAGE", 3)
    ann, ben = await new_users(database, "ann", "ben")
    listed, others = await ready_photo(database, ann), [await ready_photo(database, ben) for _ in range(3)]
    pdqs = {photo.id: f"{number:064x}" for number, photo in enumerate(others, 1)} | {listed.id: "0f" * 32}
    async with database.transaction() as tx:
        for photo in (listed, *others):
            # Of two pictures the second one may be listed.
            hashes = [MediaHash(sha256="0" * 64, pdq="e1" * 32, quality=100)]
            hashes.append(MediaHash(sha256=photo.sha256, pdq=pdqs[photo.id], quality=100))
            await media_hashes.store(tx, photo.id, hashes)
    path = tmp_path / "list.csv"
    path.write_text(f"pdq,{'0f' * 32}\n")
    await hash_lists.add(settings, "known", AbuseAction.HOLD, Category.SPAM, path)
    done = await hash_scan.scan(settings)
    assert (done.pictures, done.found) == (8, 1)
    assert {photo.state for photo in (await photos.load(database, [each.id for each in others])).values()} == {
        PhotoState.READY
    }
    assert (await photos.load(database, [listed.id]))[listed.id].state is PhotoState.HIDDEN
    assert (await hash_scan.scan(settings)).found == 0
    for name in (None, "ann"):
        (row,) = await abuse_findings.find(settings, name, 9)
        assert (row.account, row.kind, row.rule, row.action) == ("ann", "listed_image", "known", "hold")
        assert "matched pdq" in row.facts
        assert "distance 0" in row.facts
    assert await abuse_findings.find(settings, "ben", 9) == []
