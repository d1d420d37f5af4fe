"""A backup of a running service, and its restore."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import itertools
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from server.administration import commands
from server.administration.backup import back_up
from server.administration.backup_files import BLOBS, DUMP, MANIFEST, listed_files
from server.administration.restore import restore
from server.composition.embedded import running_engines
from server.config.settings import Settings
from server.errors import BackupError, StartError
from server.operation.data_dir import read_run_file
from storage.blobs.keys import original_key
from storage.postgres import migrate
from storage.stores.photos import counter_drift
from tests.e2e.load import Load
from tests.support.api_user import ApiUser
from tests.support.eventually import eventually
from tests.support.pictures import PHOTOS, encoded, halves
from tests.support.run import Run, run_to_end, temporary_run
from tests.support.service import Service

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]

PICTURES = [PHOTOS / "cat.jpg", PHOTOS / "galaxies.jpg"]
DEADLINE = 120.0  # seconds for a command on a busy machine
LIMITS = {"PICSHARE_LIMITS__UPLOADS": "100000/m", "PICSHARE_LIMITS__LIKES": "100000/m"}


async def command(folder: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and its output."""
    return await run_to_end(Service(arguments, folder=folder, name=name), within=DEADLINE)


class Drill:
    """A service that runs, and a backup of it that was made under load."""

    def __init__(self, run: Run, http: aiohttp.ClientSession) -> None:
        self.run = run
        self.http = http
        self.backup = run.folder / "backup"
        self.data = run.folder / "data"
        self.before: set[str] = set()
        self.author: ApiUser
        self.own: set[str] = set()

    async def make(self) -> None:
        """Make a backup during a load that uploads, likes and deletes."""
        await self.run.service("--no-demo", env=LIMITS).start()
        load = await Load.prepare(self.http, apis=[self.run.url], lives=[self.run.url])
        self.author, passing = [await ApiUser.sign_up(self.http, self.run.url) for _ in range(2)]
        self.own = {(await self.author.upload(picture))["id"] for picture in PICTURES}
        async with load.running():
            await load.until(acknowledged=6)
            self.before = set(load.acknowledged)
            backup = Service(
                ["backup", str(self.backup), "--data", str(self.data)], folder=self.run.folder, name="backup"
            )
            await backup.start(wait=False)
            assert backup.process is not None
            async with asyncio.timeout(DEADLINE):
                for width in itertools.count(20):
                    # Each is deleted while the backup dumps or copies; some are in the dump.
                    photo = await passing.upload(encoded(halves(width)))
                    assert (await passing.call("DELETE", f"/photos/{photo['id']}")).status == 204
                    if backup.process.returncode is not None:
                        break
            assert backup.process.returncode == 0, backup.log()
        await load.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drill() -> AsyncIterator[Drill]:
    """A service and its backup."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with temporary_run() as run, aiohttp.ClientSession(timeout=timeout) as http:
        drill = Drill(run, http)
        await drill.make()
        yield drill


def settings_in(data: Path) -> Settings:
    """Return the settings of a data directory."""
    return Settings().with_values("data", dir=data)


async def is_shown(user: ApiUser, photo: str) -> bool:
    """Return whether a user sees a photo."""
    return (await user.call("GET", f"/photos/{photo}")).status == 200


async def test_what_was_acknowledged_before_the_backup_is_there(drill: Drill) -> None:
    """Photos, images byte for byte, passwords, tokens and counters; `media verify` finds nothing wrong."""
    async with temporary_run() as run:
        data = run.folder / "data"
        code, output = await command(run.folder, "restore", "restore", str(drill.backup), "--data", str(data))
        assert code == 0, output
        for picture in PICTURES:
            content = picture.read_bytes()
            assert (data / "blobs" / original_key(hashlib.sha256(content).hexdigest())).read_bytes() == content

        await run.service("--no-demo").start()
        # The token is of before the backup, and is verified by the restored key.
        user = copy.copy(drill.author)
        user.url = run.url
        for photo in drill.before | drill.own:
            # One that was being processed at the moment of the dump is ready a moment after the start.
            await eventually(partial(is_shown, user, photo), within=60)
        shown = (await user.call("GET", f"/users/{user.id}/photos")).expect(200)["items"]
        assert {photo["id"] for photo in shown} == drill.own
        for photo in shown:
            address = photo["urls"]["feed"].removeprefix(drill.run.url)
            assert (await user.call("GET", address)).body == (await drill.author.call("GET", address)).body
        await user.sign_in()
        settings = settings_in(data)
        async with commands.open_database(settings) as db:
            assert (await counter_drift.check_photos(db, after=0, limit=10_000)).wrong == []
            assert (await counter_drift.check_accounts(db, after=0, limit=10_000)).wrong == []
        report = await commands.verify_media(settings, sample=None, mend=False)
        assert report.ok, report.differences
        assert report.read >= len(drill.before | drill.own)


async def test_a_cut_or_changed_backup_is_refused(drill: Drill, tmp_path: Path) -> None:
    """One byte of an image or of the dump is another one, a file or the manifest is missing: nothing is restored."""
    image = next(name for _, name in listed_files(drill.backup) if name.startswith(BLOBS))
    wanted = {
        image: "was changed after the backup was made",
        DUMP: "was changed after the backup was made",
        "secret": "lacks the file secret",
        MANIFEST: "is not complete",
    }
    for number, (name, sentence) in enumerate(wanted.items()):
        backup, data = tmp_path / f"backup-{number}", tmp_path / f"data-{number}"
        await asyncio.to_thread(shutil.copytree, drill.backup, backup)
        if name in {image, DUMP}:
            content = bytearray((backup / name).read_bytes())
            content[len(content) // 2] ^= 1
            (backup / name).write_bytes(content)
        else:
            (backup / name).unlink()
        with pytest.raises(BackupError, match=sentence):
            await restore(settings_in(data), backup, ignored)
        assert not data.exists() or [path.name for path in data.iterdir()] == ["lock"]


async def test_a_data_directory_in_use_is_not_restored_into(drill: Drill, tmp_path: Path) -> None:
    """Neither that of a running service nor one with files is touched; the sentence names what is there."""
    with pytest.raises(StartError, match="Another PicShare"):
        await restore(settings_in(drill.data), drill.backup, ignored)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/other").write_bytes(b"mine")
    with pytest.raises(BackupError, match=f"there is {tmp_path}/blobs/other"):
        await restore(settings_in(tmp_path), drill.backup, ignored)
    assert (tmp_path / "blobs/other").read_bytes() == b"mine"


async def test_an_older_backup_is_migrated(drill: Drill) -> None:
    """The migrations that the backup lacks are applied after its database was loaded."""
    folder = drill.run.folder / "migrations"
    await asyncio.to_thread(shutil.copytree, migrate.FOLDER, folder)
    later = f"{len(list(folder.glob('*.sql'))) + 1:04}_later"
    (folder / f"{later}.sql").write_text("CREATE TABLE later (id bigint PRIMARY KEY);\n")
    # An interrupted restore has left files, which are deleted first.
    data = drill.run.folder / "migrated"
    data.mkdir()
    for left in ("restoring", "secret"):
        (data / left).touch()
    with pytest.raises(StartError, match="was interrupted; repeat it"):
        async with running_engines(settings_in(data)):
            pass
    shared_redis = settings_in(data).with_values("redis", url="redis://127.0.0.1:1")
    shown: list[str] = []
    _, applied = await restore(shared_redis, drill.backup, shown.append, migrations_folder=folder)
    assert applied == [later]
    assert shown[-1].startswith("Empty the Redis at redis.url")
    assert (data / "secret").read_bytes() == (drill.data / "secret").read_bytes()


async def test_a_killed_backup_is_not_complete_and_the_next_one_is(drill: Drill) -> None:
    """SIGKILL in the middle leaves a directory that cannot be restored; then deletions delete, and a backup works."""
    folder, target = drill.run.folder, drill.run.folder / "second"
    partial, held = folder / "second.partial", drill.data / "blobs/.held"
    arguments = ["backup", str(target), "--data", str(drill.data)]
    lock = await asyncpg.connect(read_run_file(drill.data)["database"])
    try:
        # The backup waits before it reads the rows of contents.
        await lock.execute("BEGIN; LOCK TABLE contents")
        killed = Service(arguments, folder=folder, name="killed")
        await killed.start(wait=False)
        await eventually(lambda: held.is_dir() and partial.is_dir(), within=60)
        await killed.kill()
    finally:
        lock.terminate()
    with pytest.raises(BackupError, match="is not complete"):
        await restore(settings_in(folder / "never"), partial, ignored)
    assert not target.exists()

    photo = drill.own.pop()
    assert (await drill.author.call("DELETE", f"/photos/{photo}")).status == 204
    originals = [
        drill.data / "blobs" / original_key(hashlib.sha256(path.read_bytes()).hexdigest()) for path in PICTURES
    ]
    await eventually(lambda: not all(original.exists() for original in originals))
    assert list(held.iterdir()) == []
    report = await back_up(settings_in(drill.data), target, ignored)
    assert (target / MANIFEST).exists()
    assert not partial.exists()
    assert report.wrong == []
    with pytest.raises(BackupError, match="exists; name a directory that does not"):
        await back_up(settings_in(drill.data), target, ignored)


def ignored(_sentence: str) -> None:
    """Ignore progress."""
