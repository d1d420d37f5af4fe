"""What `picshare run` prints on standard output: that it starts, then its address."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from server.demo.story import PASSWORD, USERNAME


def print_starting(directory: Path) -> None:
    """Print on a terminal that the service starts, because the first start takes some seconds."""
    if sys.stdout.isatty():
        Console().print(Text(f"Starting PicShare, with its data in {directory} …", style="dim"))


def print_banner(url: str, *, demo: bool) -> None:
    """Print the URL, and how to sign in to the demonstration community, on standard output.

    On a terminal it is a panel, elsewhere one plain line that a program can wait for.
    """
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
