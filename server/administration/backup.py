"""Back up an installation with embedded engines while it runs: the database first, then the images that it names.

The dump and the list of originals are read in one snapshot. What is deleted after the snapshot is kept aside until the
backup ends (`storage.blobs.held_files`), so every photo of the dump has its image in the backup. Until it is complete
the directory has a name that ends in `.partial`.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from server.administration.backup_copy import BackupCopy
from server.administration.backup_files import DUMP, FORMAT, LIST, PARTIAL, Manifest, digest, sync, write_manifest
from server.composition.blob_stores import blob_directory, is_bucket
from server.composition.embedded import reachable_backends
from server.composition.roles import is_embedded
from server.config.settings import Settings
from server.errors import BackupError
from server.operation.data_dir import note_backup
from storage.blobs.held_files import held_deletions
from storage.embedded.dump import dump_database
from storage.postgres.snapshot import Counts, open_snapshot

_BATCH = 200  # originals that are copied in one call of a thread

Progress = Callable[[str], None]


@dataclass(kw_only=True, slots=True)
class BackupReport:
    """A complete backup; `wrong` are originals that were missing or had another size already before it."""

    folder: Path
    counts: Counts
    files: int
    size: int
    wrong: list[str]


async def back_up(settings: Settings, target: Path, progress: Progress) -> BackupReport:
    """Back up into the new directory `target`; raise `BackupError`, `EngineError` or `UnavailableError`.

    The service may run. `progress` is called with a sentence at each step.
    """
    directory = _require_own_engines(settings)
    target, partial = _require_new(target)
    async with reachable_backends(settings) as resolved:
        with held_deletions(blob_directory(settings).absolute()) as held:
            _make_new(partial)
            try:
                backup = _Backup(resolved, partial, held, progress)
                counts = await backup.run()
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True)
                raise
        partial.rename(target)
        sync(target.parent)
    note_backup(directory, target)
    copied = backup.copied
    return BackupReport(folder=target, counts=counts, files=copied.files, size=copied.size, wrong=copied.wrong)


def _require_own_engines(settings: Settings) -> Path:
    """Return the data directory, in which there is a database and next to which there are files of images."""
    if not is_embedded(settings.database.url) or is_bucket(settings):
        raise BackupError(
            "This command is for installations whose PostgreSQL is embedded and whose images are in a directory; "
            "for others use the tools of PostgreSQL and of the object store (docs/backup.md, Backups)."
        )
    directory = settings.data.dir.absolute()
    if not (directory / "postgres").is_dir():
        raise BackupError(f"There is no database in the data directory {directory}; name another one with --data.")
    return directory


def _require_new(target: Path) -> tuple[Path, Path]:
    """Return the path of the backup, and the one that it has until it is complete."""
    target = target.absolute()
    if target.exists():
        raise BackupError(f"{target} exists; name a directory that does not, such as one with the date.")
    return target, target.with_name(target.name + PARTIAL)


def _make_new(partial: Path) -> None:
    """Create the directory of a backup, in place of what an interrupted one has left."""
    try:
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupError(f"{partial} cannot be created: {error.strerror}; name another directory.") from error


class _Backup:
    def __init__(self, settings: Settings, folder: Path, held: Path, progress: Progress) -> None:
        self._settings = settings
        self._folder = folder
        self._progress = progress
        self.copied = BackupCopy(blob_directory(settings).absolute(), held, folder)

    async def run(self) -> Counts:
        """Write all files, the manifest last; return the counts of the dump."""
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        originals, log_file = self._folder / "originals", self._folder / "pg_dump.log"
        self._progress("Dumping the database …")
        async with open_snapshot(self._settings.database.session_url) as snapshot:
            counts, schema = await snapshot.counts(), await snapshot.schema()
            await snapshot.write_originals(originals)
            await dump_database(
                self._settings.database.session_url, self._folder / DUMP, snapshot=snapshot.id, log_file=log_file
            )
        log_file.unlink()
        try:
            await self._copy(originals, counts.originals)
            originals.unlink()
            await asyncio.to_thread(self._complete, created_at, counts, schema)
        except OSError as error:
            raise BackupError(f"The backup cannot be written: {error.strerror}; its files were deleted.") from error
        return counts

    async def _copy(self, originals: Path, number: int) -> None:
        await asyncio.to_thread(self.copied.add_dump_and_keys, self._settings.data.dir.absolute())
        done = 0
        with originals.open() as lines:
            while batch := list(islice(lines, _BATCH)):
                await asyncio.to_thread(self.copied.add_originals, batch)
                if done * 10 // number != (done + len(batch)) * 10 // number:
                    self._progress(f"{done + len(batch):,} of {number:,} originals, {self.copied.size / 1e6:,.0f} MB")
                done += len(batch)
        await asyncio.to_thread(self.copied.add_others)

    def _complete(self, created_at: str, counts: Counts, schema: tuple[int, str]) -> None:
        self.copied.close()
        write_manifest(
            self._folder,
            Manifest(
                format=FORMAT,
                picshare=version("picshare"),
                created_at=created_at,
                schema_version=schema[0],
                schema_name=schema[1],
                counts=counts.as_dict(),
                files=self.copied.files,
                size=self.copied.size,
                list_sha256=digest(self._folder / LIST),
            ),
        )
        sync(self._folder)
