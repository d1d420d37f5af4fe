"""Read files of hashes: `pdq,<64 hexadecimal digits>` or `sha256,<64 hexadecimal digits>` in each line."""

from __future__ import annotations

import re
from pathlib import Path

from server.errors import InputError
from storage.abuse import HashEntries
from storage.perceptual_hashes import MIN_QUALITY

_SHOWN = 10  # faults that are named
_DIGITS = re.compile(r"[0-9a-f]{64}")


def read(path: Path) -> HashEntries:
    """Return the entries of a file, each once; raise `InputError`, which names the lines that are wrong.

    Empty lines and those that begin with `#` are left out. Upper case and spaces around the parts do not matter.
    """
    # A mark at the beginning, as editors of Windows write it, is no part of the first line.
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8. A list of hashes has lines such as `pdq,<hash>`.") from error
    found: dict[str, dict[str, None]] = {"pdq": {}, "sha256": {}}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.strip().lower()
        if not entry or entry.startswith("#"):
            continue
        kind, _, digits = (part.strip() for part in entry.partition(","))
        if fault := _fault(kind, digits):
            faults.append(f"line {number}: {fault}")
        else:
            found[kind][digits] = None
    if faults:
        more = f"\n… and {len(faults) - _SHOWN:,} more" if len(faults) > _SHOWN else ""
        raise InputError(
            f"{path} has lines that are no hashes; nothing was loaded.\n" + "\n".join(faults[:_SHOWN]) + more
        )
    if not (found["pdq"] or found["sha256"]):
        raise InputError(f"{path} has no hashes. Each line is `pdq,<hash>` or `sha256,<hash>`.")
    return HashEntries(originals=list(found["sha256"]), images=list(found["pdq"]))


def _fault(kind: str, digits: str) -> str | None:
    if kind not in {"pdq", "sha256"}:
        return f"it begins with {_shown(kind)} instead of `pdq,` or `sha256,`"
    if not _DIGITS.fullmatch(digits):
        return f"after `{kind},` come 64 hexadecimal digits, not {_shown(digits)} ({len(digits)} characters)"
    # The hash of an image without any edge, which every such image has.
    if kind == "pdq" and not digits.strip("0"):
        return f"a hash of zeros is that of every plain image; images of a quality below {MIN_QUALITY} have no hash"
    return None


def _shown(text: str) -> str:
    return f"`{text[:70]}`" if text.isprintable() and text else "nothing" if not text else "unreadable characters"
