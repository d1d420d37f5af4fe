"""What the commands share: the options that find the configuration, and running a coroutine."""

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
    typer.Option("--config", "-c", help="Configuration file.  \\[default: $PICSHARE_CONFIG, else ./config.toml]"),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="Data directory.  \\[default: data.dir, ./data]")]


def settings_for(
    config: Path | None,
    *,
    data: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    quiet: bool = True,
) -> Settings:
    """Return the settings with the command line's values on top, and set up the logs they ask for."""
    overrides: dict[str, dict[str, Any]] = {}
    for section, key, value in (("data", "dir", data), ("server", "host", host), ("server", "port", port)):
        if value is not None:
            overrides.setdefault(section, {})[key] = value
    settings = load_settings(config, overrides)
    set_up_logs(settings.log, quiet=quiet)
    return settings


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
