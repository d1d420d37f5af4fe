"""The commands `picshare moderation …`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli import cases, tables
from server.cli.findings import findings
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.ids import encode
from storage.models import PhotoState

PhotoArgument = Annotated[str, typer.Argument(help="The id of a photo, as at the end of its URL.", metavar="PHOTO")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="Hide photos and show them again, decide cases that reports and rules have opened, and answer appeals.",
        no_args_is_help=True,
    )
    app.command()(hide)
    app.command()(restore)
    app.command()(show)
    app.command()(findings)
    cases.add_commands(app)
    return app


def hide(
    photo: PhotoArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the author.")],
    rule: Annotated[str, typer.Option("--rule", help="The name of the rule that was broken.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Hide a photo: its author alone still sees it, with the reason.

    It disappears from open screens, feeds and caches. The decision applies before those of services.

    Example: [bold]picshare moderation hide 01K3S9C0XG4Q7 --reason "Shows a stranger's address"[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import moderation  # noqa: PLC0415 - heavy, and only needed here

    decided = run_async(moderation.hide(settings, photo, reason=reason, rule=rule))
    if not decided.changed:
        typer.echo("The photo was hidden already.")
    elif decided.state is PhotoState.HIDDEN:
        typer.echo("The photo is hidden.")
    else:
        typer.echo(f"The photo is {decided.state.value} and will stay hidden.")


def restore(photo: PhotoArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Show a hidden, held or sensitive photo to its audience again, whatever services have decided.

    It returns into feeds at its place, without notifications.

    Example: [bold]picshare moderation restore 01K3S9C0XG4Q7[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import moderation  # noqa: PLC0415 - heavy, and only needed here

    decided = run_async(moderation.restore(settings, photo))
    typer.echo("The photo is shown." if decided.state is PhotoState.READY else f"The photo is {decided.state.value}.")


def show(photo: PhotoArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Show the state of a photo, and the latest decision of each moderator, service and rule about it.

    Example: [bold]picshare moderation show 01K3S9C0XG4Q7[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import moderation  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(moderation.show(settings, photo))
    applies = None if found.photo.moderation is None else found.photo.moderation.state
    state = f"{found.photo.state.value}{'' if applies is None else f' ({applies.value})'}"
    typer.echo(f"{encode(found.photo.id)} by {found.photo.author.username}: {state}")
    if not found.decisions:
        return
    table = tables.table("decided", "by", "source", "action", "rule", "reason")
    for decision in found.decisions:
        moment = "" if decision.decided_at is None else f"{decision.decided_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(moment, decision.by.value, decision.source, decision.action.value, decision.rule, decision.reason)
    tables.console().print(table)
