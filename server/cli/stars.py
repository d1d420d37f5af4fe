"""The commands `picshare stars …`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.ids import encode, milliseconds_of
from storage.models import StarState

NameArgument = Annotated[str, typer.Argument(help="The username or id of an author.", metavar="USERNAME")]
_CHANGES = {StarState.PROMOTING: "promotion", StarState.DEMOTING: "demotion"}


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="List authors with very many followers, whose photos feeds pull, and promote or demote one now.",
        no_args_is_help=True,
    )
    app.command(name="list")(list_)
    app.command()(check)
    return app


def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Maximum number.")] = 100,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List stars with their state: promotions and demotions under way first, then by followers.

    Example: [bold]picshare stars list --limit 20[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import stars  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(stars.list_stars(settings, limit))
    if not found:
        typer.echo("There are no stars.")
        return
    table = tables.table("username", "id", "state", "followers", "changed")
    for star in found:
        name = f"{star.username} (deleted)" if star.deleted else star.username
        table.add_row(name, encode(star.author_id), star.state.value, f"{star.followers:,}", _moment(star.change_id))
    tables.console().print(table)


def check(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Compare an author's followers with worker.star_followers now, instead of after the next photo.

    A promotion or demotion that is due begins, and one that has stopped begins again; the queue "bulk" carries it out.

    Example: [bold]picshare stars check ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import stars  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(stars.check_star(settings, name))
    standing = found.standing
    followers = f"{name} has {standing.followers:,} follower{'' if standing.followers == 1 else 's'}"
    typer.echo(f"{followers}. {_outcome(standing.state, standing.change_id, found.begun)}")


def _outcome(state: StarState | None, change_id: int, begun: StarState | None) -> str:
    if begun is not None:
        return f"The {_CHANGES[begun]} begins{' again' if begun is state else ''}."
    if state in _CHANGES:
        minutes = (time.time() - milliseconds_of(change_id) / 1000) / 60
        return f"A {_CHANGES[state]} is under way for {minutes:.0f} minutes."
    return "It is a star, and nothing is due." if state is StarState.STAR else "It is no star, and nothing is due."


def _moment(change_id: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds_of(change_id) / 1000, UTC):%Y-%m-%d %H:%M:%S}"
