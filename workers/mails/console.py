"""Mail without a server: each one is printed, so that a developer can follow its link."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from email.message import EmailMessage

from workers.mails.port import Envelope

_RULE = "─" * 72


class ConsoleTransport:
    """Writes the text of each mail to standard output, or passes it to `write`."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or _print

    async def send(self, message: EmailMessage, envelope: Envelope) -> None:
        """Print a message."""
        part = message.get_body(("plain",))
        text = "" if part is None else part.get_content()
        lines = [f"Mail to {envelope.recipient}: {message['Subject']}", "", *text.rstrip().split("\n")]
        block = "\n".join([f"┌{_RULE}", *(f"│ {line}".rstrip() for line in lines), f"└{_RULE}", ""])
        # Its reader may be slow, for example a terminal whose output is stopped.
        await asyncio.to_thread(self._write, block)

    async def check(self) -> str:
        """Return what happens to mails."""
        return "mails are printed, and not sent"


def _print(block: str) -> None:
    try:
        sys.stdout.write(block)
        sys.stdout.flush()
    except (OSError, ValueError):
        pass  # the reader has gone
    except UnicodeEncodeError:
        sys.stdout.write(block.encode("ascii", "replace").decode("ascii"))
