"""The files of a backup: what is copied, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.administration import backup_copy
from server.administration.backup_copy import BackupCopy
from server.administration.backup_files import (
    BLOBS,
    DUMP,
    FORMAT,
    LIST,
    MANIFEST,
    Manifest,
    copy_file,
    digest,
    listed_files,
    read_manifest,
    write_manifest,
)
from server.errors import BackupError
from storage.blobs.file import FileBlobs
from storage.blobs.held_files import held_deletions
from storage.blobs.keys import original_key, variant_key
from storage.postgres import migrate

ORIGINAL = b"an original"
SHA256 = hashlib.sha256(ORIGINAL).hexdigest()
LINE = f"{SHA256}\t{len(ORIGINAL)}\n"
VARIANT = variant_key(SHA256, 1, "320.jpg")


async def stored(root: Path) -> FileBlobs:
    """Return a store with an original, a variant of it, an export, and an original of no row."""
    blobs = FileBlobs(root)
    objects = {original_key(SHA256): ORIGINAL, VARIANT: b"variant", "export/x.zip": b"zip", original_key("b" * 64): b""}
    for key, data in objects.items():
        await blobs.put(key, data, content_type="image/jpeg")
    return blobs


def copied(folder: Path) -> dict[str, bytes]:
    """Return the objects in a backup by their keys; each is listed with its checksum."""
    found = {
        path.relative_to(folder / BLOBS).as_posix(): path.read_bytes()
        for path in (folder / BLOBS).rglob("*")
        if path.is_file()
    }
    listed = {name.removeprefix(f"{BLOBS}/"): sha256 for sha256, name in listed_files(folder)}
    assert listed == {key: hashlib.sha256(data).hexdigest() for key, data in found.items()}
    return found


WANTED = {original_key(SHA256): ORIGINAL, VARIANT: b"variant", "export/x.zip": b"zip"}


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "copied"])
async def test_the_objects_of_the_dump_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    """They are linked or copied; an object without a row is left out."""
    await stored(tmp_path / "blobs")

    def refused(*_: object) -> None:
        raise OSError(18, "another file system")

    if not linked:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    folder = tmp_path / "backup"
    with held_deletions(tmp_path / "blobs") as held:
        copy = BackupCopy(tmp_path / "blobs", held, folder)
        copy.add_originals([LINE])
        copy.add_others()
    assert copied(folder) == WANTED
    assert (copy.files, copy.size, copy.wrong) == (3, sum(map(len, WANTED.values())), [])
    same = (folder / BLOBS / VARIANT).stat().st_ino == (tmp_path / "blobs" / VARIANT).stat().st_ino
    assert same is linked


@pytest.mark.parametrize("after", [0, 1, 2], ids=["before the originals", "before the others", "at the end"])
async def test_what_is_deleted_meanwhile_is_copied(tmp_path: Path, after: int) -> None:
    """Whenever the objects of the dump are deleted, the backup has them."""
    blobs, folder = await stored(tmp_path / "blobs"), tmp_path / "backup"
    with held_deletions(tmp_path / "blobs") as held:
        copy = BackupCopy(tmp_path / "blobs", held, folder)
        steps: list[Callable[[], Any]] = [lambda: copy.add_originals([LINE]), copy.add_others, lambda: None]
        for number, step in enumerate(steps):
            if number == after:
                await blobs.delete([*WANTED, original_key("b" * 64)])
            step()
    assert copied(folder) == WANTED


async def test_missing_originals_are_reported(tmp_path: Path) -> None:
    """An original that is missing or cut was so before; the backup goes on, and names it."""
    await stored(tmp_path / "blobs")
    (tmp_path / "blobs" / original_key(SHA256)).write_bytes(b"cut")
    with held_deletions(tmp_path / "blobs") as held:
        copy = BackupCopy(tmp_path / "blobs", held, tmp_path / "backup")
        copy.add_originals([LINE, f"{'c' * 64}\t5\n"])
    assert copy.wrong == [SHA256, "c" * 64]


def test_another_error_of_the_disk_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only file systems without links are copied; a full disk ends the backup."""
    assert 28 not in backup_copy._NO_LINKS
    (tmp_path / "original/aa").mkdir(parents=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    copy = BackupCopy(tmp_path, tmp_path, tmp_path / "backup")
    with pytest.raises(OSError, match="No space"):
        copy.add_originals([LINE])


def complete(folder: Path, **changes: Any) -> Manifest:
    """Write a small backup and return its manifest."""
    folder.mkdir()
    (folder / DUMP).write_bytes(b"dump")
    (folder / LIST).write_text(f"{digest(folder / DUMP)}  {DUMP}\n")
    manifest = Manifest(
        format=FORMAT,
        picshare="0.1.0",
        created_at="2026-11-30T00:00:00+00:00",
        schema_version=1,
        schema_name="0001_initial",
        counts={"users": 1},
        files=1,
        size=4,
        list_sha256=digest(folder / LIST),
    )
    write_manifest(folder, dataclasses.replace(manifest, **changes))
    return manifest


def test_a_manifest_is_read_again(tmp_path: Path) -> None:
    """What was written is read."""
    assert complete(tmp_path / "b") == read_manifest(tmp_path / "b")


def _without_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _cut_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_bytes((folder / MANIFEST).read_bytes()[:50])


def _changed_list(folder: Path) -> None:
    (folder / LIST).write_text((folder / LIST).read_text() + f"{'a' * 64}  secret\n")


def _without_list(folder: Path) -> None:
    (folder / LIST).unlink()


def _wrong_type(folder: Path) -> None:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace('"files": 1', '"files": "1"'))


def _other_key(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT, "x": 1}))


def _other_format(folder: Path) -> None:
    (folder / MANIFEST).write_text(json.dumps({"format": FORMAT + 1}))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_without_manifest, "is not complete: it has no manifest.json"),
        (_cut_manifest, "cannot be read"),
        (_changed_list, "was changed after the backup was made"),
        (_without_list, "was changed after the backup was made"),
        (_wrong_type, "not the manifest of a backup"),
        (_other_key, "not the manifest of a backup"),
        (_other_format, "has the format 2; this PicShare reads 1"),
    ],
)
def test_a_cut_or_changed_backup_is_refused(tmp_path: Path, harm: Callable[[Path], None], sentence: str) -> None:
    """The error says what is wrong with it."""
    complete(tmp_path / "b")
    harm(tmp_path / "b")
    with pytest.raises(BackupError, match=sentence):
        read_manifest(tmp_path / "b")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A backup with a migration that is not known needs a newer PicShare."""
    manifest = dataclasses.replace(complete(tmp_path / "b"), schema_version=9999, schema_name="9999_later")
    complete(tmp_path / "c").require_known_schema(migrate.load())
    with pytest.raises(BackupError, match=r"made by a newer PicShare .*9999_later"):
        manifest.require_known_schema(migrate.load())


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "blobs/../secret", "blobs/x", "lock", "blobs/a/../b"])
def test_a_name_outside_a_backup_is_refused(tmp_path: Path, name: str) -> None:
    """A list cannot name other files."""
    (tmp_path / LIST).write_text(f"{'a' * 64}  {name}\n")
    with pytest.raises(BackupError, match="a line that no backup has"):
        list(listed_files(tmp_path))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link or a directory in the place of a file counts as missing."""
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("link", ".", "nothing"):
        with pytest.raises(FileNotFoundError):
            copy_file(tmp_path / name, tmp_path / "target")
