"""The files of a backup: their names, their checksums, and a manifest that is written last.

| in the directory of a backup | what it is |
|---|---|
| `manifest.json` | version, schema, counts, and the SHA-256 of `files.sha256`; without it the backup is not complete |
| `files.sha256` | a line for each other file, as `sha256sum -c` reads it |
| `database.dump` | the database, an archive of pg_dump |
| `secret`, `vapid_key` | the keys of the installation, unless they are in the settings |
| `blobs/` | the images, under their keys |
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from server.errors import BackupError
from storage.blobs.keys import is_key
from storage.postgres.migrate import Migration

FORMAT = 1
MANIFEST = "manifest.json"
LIST = "files.sha256"
DUMP = "database.dump"
BLOBS = "blobs"
KEYS = ("secret", "vapid_key")
PARTIAL = ".partial"  # the end of the name of a directory until its backup is complete
_CHUNK = 1 << 20  # bytes
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)\n", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a backup contains; `files` and `size` (bytes) are those of the list, `created_at` is in ISO 8601, UTC."""

    format: int
    picshare: str
    created_at: str
    schema_version: int
    schema_name: str
    counts: Mapping[str, int]
    files: int
    size: int
    list_sha256: str

    def require_known_schema(self, known: Sequence[Migration]) -> None:
        """Raise `BackupError` if the schema is none that these migrations lead to."""
        if self.schema_version not in {migration.version for migration in known}:
            raise BackupError(
                f"The backup was made by a newer PicShare ({self.picshare}, with the migration {self.schema_name}); "
                "restore it with that version or a later one."
            )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest durably, which completes a backup."""
    path = folder / MANIFEST
    path.write_text(json.dumps(asdict(manifest), indent=2) + "\n")
    sync(path)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a complete backup whose list of files is unchanged; raise `BackupError`."""
    if not folder.is_dir():
        raise BackupError(f"{folder} is not a directory with a backup.")
    try:
        values = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as error:
        raise BackupError(
            f"The backup {folder} is not complete: it has no {MANIFEST}, which is written last; use another one."
        ) from error
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read: {error}; use another backup.") from error
    manifest = _manifest(folder, values)
    if not (folder / LIST).is_file() or digest(folder / LIST) != manifest.list_sha256:
        raise BackupError(f"{folder / LIST} was changed after the backup was made; use another backup.")
    return manifest


def _manifest(folder: Path, values: Any) -> Manifest:
    if isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
        raise BackupError(f"The backup {folder} has the format {values['format']}; this PicShare reads {FORMAT}.")
    try:
        manifest = Manifest(**values)
    except TypeError as error:
        raise BackupError(f"{folder / MANIFEST} is not the manifest of a backup; use another backup.") from error
    kinds = {**dict.fromkeys(("format", "schema_version", "files", "size"), int), "counts": dict}
    if any(not isinstance(getattr(manifest, name), kinds.get(name, str)) for name in values):
        raise BackupError(f"{folder / MANIFEST} is not the manifest of a backup; use another backup.")
    return manifest


def listed_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (SHA-256, name) of each file in the list; raise `BackupError` for a name that no backup has."""
    with (folder / LIST).open() as lines:
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None or not _is_name(found[2]):
                raise BackupError(f"{folder / LIST} has a line that no backup has: {line.strip()[:200]}")
            yield found[1], found[2]


def _is_name(name: str) -> bool:
    # The names become paths below the data directory, so nothing but the names of a backup is accepted.
    return name in {DUMP, *KEYS} or (name.startswith(f"{BLOBS}/") and is_key(name.removeprefix(f"{BLOBS}/")))


def copy_file(source: Path, target: Path) -> tuple[str, int]:
    """Copy a regular file durably, readable by its owner only; return its SHA-256 in hex and its bytes.

    Raises `FileNotFoundError` if there is none, also for a link or a directory.
    """
    found, size = hashlib.sha256(), 0
    with _opened(source) as reader, _created(target) as writer:
        while chunk := reader.read(_CHUNK):
            found.update(chunk)
            writer.write(chunk)
            size += len(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return found.hexdigest(), size


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise FileNotFoundError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return os.fdopen(descriptor, "rb")


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Make a file or the entries of a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
