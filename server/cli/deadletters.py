"""The commands `picshare deadletters …`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from server.config.settings import Settings
from server.errors import ConfigError
from workers.registry import WORKERS

QUEUES = tuple(spec.name for spec in WORKERS)


def _known_queue(name: str | None) -> str | None:
    if name is not None and name not in QUEUES:
        raise typer.BadParameter(f"'{name}' is not one of {', '.join(QUEUES)}.")
    return name


QueueOption = Annotated[
    str | None,
    typer.Option("--queue", callback=_known_queue, metavar="|".join(QUEUES), help="Only this queue."),
]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids from `picshare deadletters list`.", metavar="ID...")]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters, or all of the queue in --queue.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="List, replay and delete dead letters: jobs whose last attempt failed.", no_args_is_help=True
    )
    app.command(name="list")(list_)
    app.command()(replay)
    app.command()(delete)
    return app


def list_(
    queue: QueueOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Maximum number.")] = 100,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List dead letters, oldest first, with their last error.

    Example: [bold]picshare deadletters list --queue media[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(commands.dead_letters(settings, queue, limit))
    if not found:
        typer.echo("There are no dead letters.")
        return
    table = tables.table("id", "queue", "topic", "key", "attempts", "died", "error")
    for entry in found:
        died = f"{entry.died_at:%Y-%m-%d %H:%M:%S}" if entry.died_at else ""
        message = entry.message
        table.add_row(entry.id, entry.queue, message.topic, message.key, str(message.attempt), died, entry.error)
    tables.console().print(table)


def replay(
    ids: IdsArgument = None,
    every: AllOption = False,
    queue: QueueOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Put dead letters back into their queue, as a first attempt.

    Example: [bold]picshare deadletters replay --all --queue media[/bold]
    """
    _change(ids, every=every, queue=queue, settings=settings_for(config, data=data), replay=True)


def delete(
    ids: IdsArgument = None,
    every: AllOption = False,
    queue: QueueOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Delete dead letters permanently.

    Example: [bold]picshare deadletters delete 42[/bold]
    """
    _change(ids, every=every, queue=queue, settings=settings_for(config, data=data), replay=False)


def _change(ids: Sequence[str] | None, *, every: bool, queue: str | None, settings: Settings, replay: bool) -> None:
    if bool(ids) == every:
        raise ConfigError("Give either ids or --all; `picshare deadletters list` prints the ids.")
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    found = list(ids or run_async(commands.dead_letter_ids(settings, queue)))
    missing = run_async(commands.replay_or_delete(settings, found, replay=replay))
    done = len(found) - len(missing)
    typer.echo(f"{'Replayed' if replay else 'Deleted'} {done} dead letter{'' if done == 1 else 's'}.")
    if missing:
        typer.echo(f"No dead letter has the id {', '.join(missing)}.", err=True)
        raise typer.Exit(1)
