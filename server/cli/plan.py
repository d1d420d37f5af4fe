"""The command `picshare plan`."""

from __future__ import annotations

import json as json_
import platform
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from server.cli import tables
from server.cli.options import run_async
from server.errors import ServerError
from server.planning.load import Load, LoadError, read_load, with_changes
from server.planning.picture import picture_of
from server.planning.plan import Plan, differences, make_plan
from server.planning.report import markdown_of, sentences_of, tables_of
from server.planning.unit_costs import SHIPPED, UnitCosts, read_unit_costs

LoadOption = Annotated[
    Path | None, typer.Option("--load", help="TOML file with values of the load.  \\[default: 50 million users a day]")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A value of the load, as daily_users=2e6; may be repeated.")
]
UnitsOption = Annotated[
    Path | None,
    typer.Option("--units", help="JSON of `python -m bench units`.  \\[default: figures that come with PicShare]"),
]
MeasureOption = Annotated[
    bool, typer.Option("--measure", help="Measure on this machine first; takes about a minute on an idle one.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the plan to this file as JSON.")]
CompareOption = Annotated[
    Path | None, typer.Option("--compare", help="Show the differences from the plan in this JSON file.")
]
PictureOption = Annotated[Path | None, typer.Option("--picture", help="Write a chart to this file as SVG.")]


class PlanForm(StrEnum):
    """Output of `plan`."""

    TABLES = "tables"
    MARKDOWN = "markdown"


class PlanFileError(ServerError):
    """A plan that cannot be read."""


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plan)


def plan(  # noqa: PLR0917 - a command's parameters are its options
    load: LoadOption = None,
    changes: SetOption = None,
    units: UnitsOption = None,
    measure: MeasureOption = False,
    json: JsonOption = None,
    compare: CompareOption = None,
    picture: PictureOption = None,
    form: Annotated[PlanForm, typer.Option("--as", help="Form of the output.")] = PlanForm.TABLES,
) -> None:
    """Compute processes, machines, disks and bandwidth for a number of users, from measured costs.

    Example: [bold]picshare plan --set daily_users=2e6 --set uploads=0.3 --picture plan.svg[/bold]
    """
    wanted = with_changes(read_load(load) if load else Load(), _changes(changes or []))
    costs = read_unit_costs(units or SHIPPED)
    result = make_plan(wanted, _measured(costs) if measure else costs)
    other = _other_plan(compare) if compare else None
    if form is PlanForm.MARKDOWN:
        typer.echo(markdown_of(result), nl=False)
    else:
        _print(result)
    if other is not None:
        _print_differences(result, other)
    if json:
        json.write_text(json_.dumps(result.document(), indent=2) + "\n")
    if picture:
        picture.write_text(picture_of(result))


def _measured(costs: UnitCosts) -> UnitCosts:
    from server.measuring.installation import measure_here  # noqa: PLC0415 - heavy, and only needed here

    typer.echo("Measuring with an installation of its own …", err=True)
    found = run_async(measure_here(scale=0.5))
    return costs.measured_again(
        {unit: sum(components.values()) for unit, components in found.items()},
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=f"this machine ({platform.node()})",
    )


def _changes(texts: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            changes[name.strip()] = float(value)
        except ValueError:
            raise LoadError(f"--set takes a name and a number, as daily_users=2e6, and not {text!r}.") from None
    return changes


def _other_plan(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json_.loads(path.read_text())
        document["sizes"][0]["busy"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise PlanFileError(f"{path} is not a plan that `picshare plan --json` wrote: {error}.") from error
    return document


def _print(result: Plan) -> None:
    console = tables.console()
    for text in tables_of(result):
        table = tables.table(*text.headings, ids=(), title=text.title)
        for row in text.rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
    for sentence in sentences_of(result):
        console.print(sentence, highlight=False)


def _print_differences(result: Plan, other: dict[str, Any]) -> None:
    table = tables.table("role or engine", "busy cores before", "now", "change", ids=(), title="Compared")
    for name, before, now in differences(result, other):
        change = f"{now / before - 1:+.0%}" if before else ""
        table.add_row(name, f"{before:.1f}", f"{now:.1f}", change)
    tables.console().print(table)
