"""The command `picshare`."""

from server.cli.main import main

__all__ = ["main"]
