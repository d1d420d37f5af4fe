"""Copy the files of a backup, each of which is listed with its checksum; all of it blocks, so it runs in a thread.

Objects of the blob store never change, so they are hard links where the backup is on the same file system.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from server.administration.backup_files import BLOBS, DUMP, KEYS, LIST, copy_file, digest, sync
from storage.blobs.held_files import held_file
from storage.blobs.keys import original_key, variants_prefix

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS}
_OTHERS = ("export/", "incoming/")  # prefixes of objects that belong to no original


class BackupCopy:
    """The files that a backup has so far: their number and bytes.

    `wrong` are originals that are missing or have another size than their row. `root` is the directory of the blob
    store, `held` the one of the objects that are deleted meanwhile, `folder` the backup.
    """

    def __init__(self, root: Path, held: Path, folder: Path) -> None:
        self._root = root
        self._held = held
        self._folder = folder
        self._lines: list[str] = []
        self._links = True
        self.files = 0
        self.size = 0
        self.wrong: list[str] = []

    def add_dump_and_keys(self, directory: Path) -> None:
        """Add the dump, and the keys that the data directory has."""
        dump = self._folder / DUMP
        sync(dump)
        self._add(DUMP, digest(dump), dump.stat().st_size)
        for name in KEYS:
            with suppress(FileNotFoundError):
                self._add(name, *copy_file(directory / name, self._folder / name))
        self._write_list()

    def add_originals(self, lines: Iterable[str]) -> None:
        """Add originals with their variants; a line is "<sha256> TAB <bytes>"."""
        for line in lines:
            sha256, _, size = line.strip().partition("\t")
            # An original is named by its hash, so a link needs no reading. A restore compares the two.
            if self._copy(original_key(sha256), known=sha256) != int(size):
                self.wrong.append(sha256)
            for key in self._keys(variants_prefix(sha256)):
                self._copy(key)
        self._write_list()

    def add_others(self) -> None:
        """Add exports and what clients are uploading, and then what was deleted before it was copied."""
        for prefix in _OTHERS:
            for key in self._keys(prefix):
                self._copy(key)
        for path in sorted(self._held.iterdir()):
            key = unquote(path.name)
            if self._belongs(key) and not self._target(key).exists():
                self._copy(key)
        self._write_list()

    def close(self) -> None:
        """Make the list and all directories durable."""
        sync(self._folder / LIST)
        for path, _, _ in os.walk(self._folder):
            sync(Path(path))

    def _belongs(self, key: str) -> bool:
        """Return whether a deleted object belongs to what is in the dump, as far as it is known here."""
        kind, *rest = key.split("/")
        if kind == "variant":
            return self._target(original_key(rest[1])).exists()
        return f"{kind}/" in _OTHERS

    def _keys(self, prefix: str) -> Iterator[str]:
        for path in sorted((self._root / prefix).rglob("*")):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def _copy(self, key: str, *, known: str | None = None) -> int:
        """Copy an object and return its bytes, or -1 if there is none; `known` is its hash."""
        target = self._target(key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It may be deleted before the first attempt, and stored again before the second one.
        for source in (self._root / key, held_file(self._held, key), self._root / key):
            with suppress(FileNotFoundError):
                found, size = self._link(source, target, known) if self._links else copy_file(source, target)
                self._add(f"{BLOBS}/{key}", found, size)
                return size
        return -1

    def _link(self, source: Path, target: Path, known: str | None) -> tuple[str, int]:
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._links = False
            return copy_file(source, target)
        return known or digest(target), target.stat().st_size

    def _target(self, key: str) -> Path:
        return self._folder / BLOBS / key

    def _add(self, name: str, sha256: str, size: int) -> None:
        self._lines.append(f"{sha256}  {name}\n")
        self.files += 1
        self.size += size

    def _write_list(self) -> None:
        with (self._folder / LIST).open("a") as file:
            file.writelines(self._lines)
        self._lines.clear()
