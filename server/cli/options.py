"""Shared parts of the commands: the options for the configuration, and `run_async`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from server.config.loading import load_settings
from server.config.settings import Settings
from server.operation.logs import set_up_logs

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file.  \\[default: $PICSHARE_CONFIG, otherwise ./config.toml]"),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Data directory.  \\[default: the setting data.dir]")]


def settings_for(
    config: Path | None,
    *,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    quiet: bool = True,
) -> Settings:
    """Return the settings, overridden by those of the command line, and set up logging."""
    overrides: dict[str, dict[str, Any]] = {}
    for section, key, value in (("data", "dir", data), ("server", "host", host), ("server", "port", port)):
        if value is not None:
            overrides.setdefault(section, {})[key] = value
    settings = load_settings(config, overrides)
    set_up_logs(settings.log, quiet=quiet)
    return settings


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on uvloop if it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)
