"""Say where the service is, once it answers: readable on a terminal, one plain line elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from server.demo.story import PASSWORD, USERNAME


def starting(directory: Path) -> None:
    """Say on a terminal that the start is under way: the first one takes some seconds."""
    if sys.stdout.isatty():
        Console().print(Text(f"Starting PicShare, with its data in {directory} …", style="dim"))


def welcome(url: str, *, demo: bool) -> None:
    """Print the address, and the demonstration sign-in where there is one, on standard output."""
    if not sys.stdout.isatty():
        sign_in = f", sign in as {USERNAME} with the password {PASSWORD}" if demo else ""
        sys.stdout.write(f"PicShare answers at {url}{sign_in}\n")
        sys.stdout.flush()
        return
    text = Text.assemble("Open ", (url, f"bold link {url}"))
    if demo:
        text.append_text(Text.assemble("\nSign in as ", (USERNAME, "bold"), " with the password ", (PASSWORD, "bold")))
    text.append("\nStop with Ctrl-C.", style="dim")
    Console().print(Panel.fit(text, title="PicShare", padding=(1, 3)))
