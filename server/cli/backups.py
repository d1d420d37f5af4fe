"""The commands `backup` and `restore`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import ConfigOption, DataOption, run_async, settings_for

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="A directory that does not exist yet.", show_default=False)],
    quiet: QuietOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Back up the data directory of [bold]picshare run[/bold]: the database, the images and the keys.

    The service may be running. On the same file system images become hard links, otherwise they are copied. The
    directory has a name that ends in .partial until everything is in it. The exit code is 1 if originals were missing
    already before; the backup can be restored nevertheless.

    Example: [bold]picshare backup /backup/picshare-$(date +%F)[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration.backup import back_up  # noqa: PLC0415 - heavy, and only needed here

    report = run_async(back_up(settings, target, _progress(quiet)))
    counts = ", ".join(f"{number:,} {name}" for name, number in report.counts.as_dict().items())
    typer.echo(f"{report.folder}: {counts}; {report.files:,} files, {report.size / 1e6:,.1f} MB.")
    if report.wrong:
        number = len(report.wrong)
        typer.echo(f"Missing or of another size: {number:,} originals; `picshare media verify` lists them.", err=True)
        raise typer.Exit(1)


def restore(
    source: Annotated[Path, typer.Argument(help="The directory of a backup.", show_default=False)],
    quiet: QuietOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Restore a backup into an empty data directory.

    Every file is compared with its checksum. A backup of an earlier version is migrated, one of a later version is
    refused. After an error the data directory is empty again. Then start [bold]picshare run[/bold].

    Example: [bold]picshare restore /backup/picshare-2026-11-30 --data /var/lib/picshare[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration.restore import restore as restore_  # noqa: PLC0415 - heavy, and only needed here

    manifest, applied = run_async(restore_(settings, source, _progress(quiet)))
    counts = ", ".join(f"{number:,} {name}" for name, number in manifest.counts.items())
    migrated = f" Migrated from {manifest.schema_name} on." if applied else ""
    typer.echo(f"Restored the backup of {manifest.created_at}: {counts}.{migrated}")


def _progress(quiet: bool) -> Callable[[str], None]:
    def show(sentence: str) -> None:
        if not quiet:
            typer.echo(sentence, err=True)

    return show
