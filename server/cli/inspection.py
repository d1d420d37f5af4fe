"""The commands that inspect without changing anything: `doctor`, `config` and `version`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from server.administration.findings import Finding
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from server.config.reference import effective, markdown, toml


class Form(StrEnum):
    """Output of `config`."""

    EFFECTIVE = "effective"
    TOML = "toml"
    MARKDOWN = "markdown"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(doctor)
    app.command()(config)
    app.command()(version)


def doctor(config: ConfigOption = None, data: DataOption = None) -> None:
    """Check every backend and this machine, and print how to fix each problem.

    The exit code is 1 if there is a problem. The service may be running or not.

    Example: [bold]picshare doctor --config /etc/picshare.toml[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import doctor as doctor_  # noqa: PLC0415 - heavy, and only needed here

    findings = run_async(doctor_.inspect(settings))
    _show(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    console = Console()
    if not console.is_terminal:
        for item in findings:
            typer.echo(f"{'ok' if item.ok else 'FAILED'} {item.name}: {item.detail} {item.remedy}".rstrip())
        return
    table = Table("", "check", "found", "remedy", box=None)
    for item in findings:
        mark = Text("ok", style="green") if item.ok else Text("FAILED", style="bold red")
        table.add_row(mark, item.name, item.detail, item.remedy)
    console.print(table)


def config(
    config: ConfigOption = None,
    data: DataOption = None,
    form: Annotated[
        Form, typer.Option("--as", help="The settings in effect, a commented config.toml, or the reference.")
    ] = Form.EFFECTIVE,
) -> None:
    """Print the settings in effect, with secrets masked.

    Example: [bold]picshare config --as toml > config.toml[/bold]
    """
    if form is Form.EFFECTIVE:
        typer.echo(effective(settings_for(config, data=data)), nl=False)
    else:
        typer.echo(toml() if form is Form.TOML else markdown(), nl=False)


def version() -> None:
    """Print the version.

    Example: [bold]picshare version[/bold]
    """
    typer.echo(f"picshare {installed_version('picshare')}")
