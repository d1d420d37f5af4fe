"""Errors that `server` raises before or outside a request; each is one sentence that a person can act on.

ServerError
├── ConfigError     a key is unknown, mistyped or missing, or does not fit the role   (exit code 2)
└── StartError      the machine does not allow the start: a taken port, a directory   (exit code 2)
"""

from __future__ import annotations


class ServerError(Exception):
    """Stand for anything that keeps `server` from starting."""


class ConfigError(ServerError):
    """Say which key is wrong, where it was read, and what would be right."""


class StartError(ServerError):
    """Say what on this machine is in the way of the start, and how to clear it."""
