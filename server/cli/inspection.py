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

_STYLES = {"ok": "green", "warning": "bold yellow", "FAILED": "bold red"}


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

    The exit code is 1 if there is a problem; a warning is none. The service may be running or not.

    Example: [bold]picshare doctor --config /etc/picshare.toml[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import doctor as doctor_  # noqa: PLC0415 - heavy, and only needed here

    findings = run_async(doctor_.inspect(settings))
    show(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def show(findings: Sequence[Finding]) -> None:
    """Print findings: a table on a terminal, else one line each."""
    console = Console()
    if not console.is_terminal:
        for item in findings:
            typer.echo(f"{_mark(item)} {item.name}: {item.detail} {_advice(item)}".rstrip())
        return
    table = Table("", "check", "found", "remedy", box=None)
    for item in findings:
        mark = _mark(item)
        table.add_row(Text(mark, style=_STYLES[mark]), item.name, item.detail, _advice(item))
    console.print(table)


def _advice(finding: Finding) -> str:
    return f"{finding.remedy} {finding.warning}".strip()


def _mark(finding: Finding) -> str:
    if not finding.ok:
        return "FAILED"
    return "warning" if finding.warning else "ok"


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
