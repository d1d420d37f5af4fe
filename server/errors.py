"""Errors of `server` outside a request; each message is one sentence that says what to do.

ServerError
├── BackupError     a backup cannot be made, or not be used                             (exit code 2)
├── ConfigError     a key is unknown, mistyped or missing, or not allowed for the role   (exit code 2)
├── InputError      an argument of a command is not allowed                              (exit code 2)
└── StartError      the machine prevents the start: a port in use, a directory           (exit code 2)
    └── CertificateError    the files of a certificate cannot be used                    (exit code 2)
"""

from __future__ import annotations


class ServerError(Exception):
    """Base class of the errors that prevent the start of `server`."""


class BackupError(ServerError):
    """A backup cannot be made or used; the message says why, and what to do."""


class ConfigError(ServerError):
    """A setting is wrong; the message names the key, where it was read, and what would be right."""


class InputError(ServerError):
    """An argument of a command is not allowed; the message names it and says what would be."""


class StartError(ServerError):
    """The machine prevents the start; the message says why, and how to fix it."""


class CertificateError(StartError):
    """The files of a certificate cannot be used; the message says why."""
