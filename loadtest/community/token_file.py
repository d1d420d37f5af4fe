"""A file of existing users: one per line, an access token and optionally a refresh token."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from loadtest.errors import LoadTestError

Token = tuple[str, str]  # an access token, and a refresh token or ""


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file, one user per line: an access token and, after a space, optionally a refresh token.

    Empty lines and lines that begin with # are ignored. Raises `LoadTestError`.
    """
    try:
        lines: Sequence[str] = path.read_text().splitlines()
    except OSError as error:
        raise LoadTestError(f"The token file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LoadTestError(f"The token file {path} is not text.") from error
    tokens: list[Token] = []
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) > 2:
            raise LoadTestError(f"Line {number} of {path} must be an access token and optionally a refresh token.")
        tokens.append((parts[0], parts[1] if len(parts) == 2 else ""))
    if not tokens:
        raise LoadTestError(f"The token file {path} contains no tokens.")
    return tuple(tokens)


def write_tokens(path: Path, tokens: Iterable[Sequence[str]]) -> None:
    """Write a file for `read_tokens` that only this user can read; raise `LoadTestError`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(" ".join(filter(None, token)) + "\n" for token in tokens)
    except OSError as error:
        raise LoadTestError(f"The tokens cannot be written to {path}: {error.strerror}.") from error
