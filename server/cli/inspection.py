"""The commands that only look: `doctor`, `config` and `version`."""

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
    """How `config` prints."""

    EFFECTIVE = "effective"
    TOML = "toml"
    MARKDOWN = "markdown"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(doctor)
    app.command()(config)
    app.command()(version)


def doctor(config: ConfigOption = None, data: DataOption = None) -> None:
    """Check every backend and the machine; say what is wrong and how to mend it.

    Exit code 1 when something is wrong. Works beside a running service and without one.

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
            typer.echo(f"{'ok' if item.ok else 'WRONG'} {item.name}: {item.detail} {item.remedy}".rstrip())
        return
    table = Table("", "check", "found", "what to do", box=None)
    for item in findings:
        mark = Text("ok", style="green") if item.ok else Text("WRONG", style="bold red")
        table.add_row(mark, item.name, item.detail, item.remedy)
    console.print(table)


def config(
    config: ConfigOption = None,
    data: DataOption = None,
    form: Annotated[
        Form, typer.Option("--as", help="The values in effect, a commented config.toml, or the reference.")
    ] = Form.EFFECTIVE,
) -> None:
    """Print the settings in effect, secrets masked.

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
