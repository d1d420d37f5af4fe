"""Files of hashes, and the errors of those that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.administration import hash_files
from server.errors import InputError

ONE, TWO = "0f" * 32, "e1" * 32


def written(folder: Path, text: str | bytes) -> Path:
    """Return a file with a text."""
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_entries_of_a_file(tmp_path: Path) -> None:
    """Comments, empty lines, upper case, spaces, a byte order mark and a second time do not matter."""
    lines = ["# known images", "", f"pdq,{ONE}", f"  PDQ , {TWO.upper()} ", f"sha256,{ONE}", f"pdq,{ONE}"]
    for end in ("\n", "\r\n"):
        found = hash_files.read(written(tmp_path, b"\xef\xbb\xbf" + end.join(lines).encode()))
        assert (found.images, found.originals) == ([ONE, TWO], [ONE])


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"md5,{ONE}", "line 3: it begins with `md5` instead of `pdq,` or `sha256,`"),
        (ONE, f"line 3: it begins with `{ONE}` instead of"),
        ("pdq,", "line 3: after `pdq,` come 64 hexadecimal digits, not nothing (0 characters)"),
        (f"sha256,{ONE}0", f"line 3: after `sha256,` come 64 hexadecimal digits, not `{ONE}0` (65 characters)"),
        (f"pdq,{'g' * 64}", "line 3: after `pdq,` come 64 hexadecimal digits"),
        (f"pdq,{ONE},100", "line 3: after `pdq,` come 64 hexadecimal digits"),
        (f"pdq,{'0' * 64}", "line 3: a hash of zeros is that of every plain image"),
        ("\x00\x01,", "line 3: it begins with unreadable characters"),
    ],
)
def test_a_line_that_is_no_hash_is_named(tmp_path: Path, line: str, fault: str) -> None:
    """The error has the number of the line, counted as an editor does, and what is wrong with it."""
    with pytest.raises(InputError) as error:
        hash_files.read(written(tmp_path, f"# a comment\npdq,{ONE}\n{line}\n"))
    assert fault in str(error.value)
    assert "nothing was loaded" in str(error.value)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    """The first ten are named."""
    with pytest.raises(InputError, match=r"line 10: (?s:.*)… and 90 more") as error:
        hash_files.read(written(tmp_path, "x\n" * 100))
    assert "line 11" not in str(error.value)


@pytest.mark.parametrize(("data", "fault"), [(b"# nothing\n", "has no hashes"), (b"\xff\xd8\xff\xe0", "is no text")])
def test_a_file_of_something_else(tmp_path: Path, data: bytes, fault: str) -> None:
    """An empty list and an image are refused."""
    with pytest.raises(InputError, match=fault):
        hash_files.read(written(tmp_path, data))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        hash_files.read(tmp_path / "missing.csv")
