"""Restore a backup into an empty data directory: every file is compared with its checksum as it is copied.

Until the restore is complete the directory has the file `restoring`, with which nothing starts in it. Valkey is not
restored: counters in it would have versions of a later time and be preferred to those of the database.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from server.administration.backup_files import BLOBS, DUMP, Manifest, copy_file, listed_files, read_manifest
from server.composition.blob_stores import blob_directory, is_bucket
from server.composition.roles import is_embedded
from server.config.settings import Settings
from server.errors import BackupError
from server.operation.data_dir import interrupted_restore, locked, restoring
from storage.embedded.dump import restore_database
from storage.embedded.postgres import embedded_postgres
from storage.errors import EngineError
from storage.postgres import migrate as migrations
from storage.postgres.snapshot import counts_and_statistics

_BATCH = 200  # files that are copied in one call of a thread
_LOCK = "lock"  # the one file that an empty data directory has, because it is locked

Progress = Callable[[str], None]


async def restore(
    settings: Settings, source: Path, progress: Progress, *, migrations_folder: Path = migrations.FOLDER
) -> tuple[Manifest, list[str]]:
    """Restore the backup in `source`; return its manifest and the names of the migrations that were applied.

    The data directory has to be empty, or that of an interrupted restore; after an error it is empty again. Raises
    `BackupError`, `StartError`, `EngineError`, `SchemaError` or `UnavailableError`.
    """
    if not is_embedded(settings.database.url) or is_bucket(settings):
        raise BackupError("A backup is restored where PostgreSQL is embedded and the images are in a directory.")
    manifest = await asyncio.to_thread(read_manifest, source)
    manifest.require_known_schema(migrations.load(migrations_folder))
    directory, blobs = settings.data.dir.absolute(), blob_directory(settings).absolute()
    with locked(directory):
        if interrupted_restore(directory):
            await asyncio.to_thread(_empty, directory, blobs)
        _require_empty(directory, blobs)
        _require_space(directory, manifest)
        with restoring(directory):
            try:
                applied = await _Restore(directory, blobs, source, manifest, progress).run(migrations_folder)
            except BaseException:
                await asyncio.to_thread(_empty, directory, blobs)
                raise
    if not is_embedded(settings.redis.url):
        progress("Empty the Redis at redis.url (FLUSHDB) before the start: its counters are of a later time.")
    return manifest, applied


class _Restore:
    def __init__(self, directory: Path, blobs: Path, source: Path, manifest: Manifest, progress: Progress) -> None:
        self._directory = directory
        self._blobs = blobs
        self._source = source
        self._manifest = manifest
        self._progress = progress

    async def run(self, migrations_folder: Path) -> list[str]:
        """Copy the files, load the database, and return the names of the migrations that it needed."""
        try:
            await self._copy()
        except OSError as error:
            raise BackupError(f"The restore has failed: {error}.") from error
        dump = self._directory / DUMP
        try:
            applied = await self._load(dump, migrations_folder)
        except EngineError as error:
            raise BackupError(f"The database cannot be restored: {error.detail}.") from error
        dump.unlink()
        return applied

    async def _copy(self) -> None:
        files, done = listed_files(self._source), 0
        while batch := list(islice(files, _BATCH)):
            await asyncio.to_thread(self._copy_batch, batch)
            if done * 10 // self._manifest.files != (done + len(batch)) * 10 // self._manifest.files:
                self._progress(f"{done + len(batch):,} of {self._manifest.files:,} files")
            done += len(batch)
        if done != self._manifest.files or not (self._directory / DUMP).is_file():
            raise BackupError(f"The backup {self._source} has {done} of {self._manifest.files} files; use another one.")

    def _copy_batch(self, batch: Sequence[tuple[str, str]]) -> None:
        for sha256, name in batch:
            target = self._target(name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                found, _ = copy_file(self._source / name, target)
            except FileNotFoundError as error:
                raise BackupError(f"The backup {self._source} lacks the file {name}; use another one.") from error
            if found != sha256:
                raise BackupError(
                    f"{self._source / name} was changed after the backup was made: its SHA-256 is {found} instead of "
                    f"{sha256}; use another backup."
                )

    def _target(self, name: str) -> Path:
        if name.startswith(f"{BLOBS}/"):
            return self._blobs / name.removeprefix(f"{BLOBS}/")
        return self._directory / name

    async def _load(self, dump: Path, migrations_folder: Path) -> list[str]:
        self._progress("Loading the database …")
        log_file = self._directory / "pg_restore.log"
        async with embedded_postgres(self._directory) as url:
            await restore_database(url, dump, log_file=log_file)
            log_file.unlink()
            counts = (await counts_and_statistics(url)).as_dict()
            if counts != dict(self._manifest.counts):
                raise BackupError(
                    f"The restored database has other counts ({counts}) than the manifest ({self._manifest.counts}); "
                    "use another backup."
                )
            return await migrations.migrate(url, folder=migrations_folder)


def _require_empty(directory: Path, blobs: Path) -> None:
    found = [path for path in directory.iterdir() if path.name != _LOCK and path != blobs]
    found += list(blobs.iterdir()) if blobs.is_dir() else []
    if found:
        raise BackupError(
            f"A backup is restored into an empty data directory, and there is {found[0]}; "
            "move the old data away, or name another directory with --data."
        )


def _require_space(directory: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(directory).free
    if free < manifest.size:
        raise BackupError(
            f"The backup has {manifest.size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free in {directory}."
        )


def _empty(directory: Path, blobs: Path) -> None:
    """Delete what a restore has written; both directories were empty before."""
    for path in _children([directory, blobs]):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.parent != directory or path.name != _LOCK:
            path.unlink(missing_ok=True)


def _children(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
