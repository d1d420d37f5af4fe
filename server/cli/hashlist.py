"""The commands `picshare hashlist …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.abuse import AbuseAction
from storage.perceptual_hashes import MAX_DISTANCE, MIN_QUALITY
from storage.reports import Category

NameArgument = Annotated[str, typer.Argument(help="The list's name.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Load lists of the hashes of known images, and check images.", no_args_is_help=True)
    app.command()(add)
    app.command(name="list")(list_)
    app.command()(remove)
    app.command()(check)
    app.command()(scan)
    return app


def add(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="A line for each hash: `pdq,<hash>` or `sha256,<hash>`.")],
    *,
    action: Annotated[
        AbuseAction,
        typer.Option(
            "--action",
            help="What follows when a photo has an image of the list: a case for moderators alone, or the photo is "
            "also held until they decide, or hidden.",
        ),
    ],
    category: Annotated[
        Category, typer.Option("--category", help="Of the cases; moderators see the most severe ones first.")
    ] = Category.OTHER,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Add the hashes of a file to a list, which is created if there is none. Action and category are the whole list's.

    Entries that the list has are left as they are, so that the command can be repeated. A line that is no hash is
    named, and nothing is loaded. Empty lines, and those that begin with #, are left out. Photos that are uploaded from
    then on are compared.

    Example: [bold]picshare hashlist add known-spam --action hold spam.csv[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import hash_lists  # noqa: PLC0415 - heavy, and only needed here

    done = run_async(hash_lists.add(settings, name, action, category, file))
    typer.echo(f"{done.entries:,} entries: {done.added:,} added to {name}, {done.entries - done.added:,} were there.")


def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List the lists with their actions and sizes.

    Example: [bold]picshare hashlist list[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import hash_lists  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(hash_lists.all_lists(settings))
    if not found:
        typer.echo("There are no lists.")
        return
    table = tables.table("name", "action", "category", "sha256", "pdq")
    for one in found:
        table.add_row(one.name, one.action.value, one.category.value, f"{one.originals:,}", f"{one.images:,}")
    tables.console().print(table)


def remove(name: NameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Remove a list. What it has led to stays.

    Example: [bold]picshare hashlist remove known-spam[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import hash_lists  # noqa: PLC0415 - heavy, and only needed here

    removed = run_async(hash_lists.remove(settings, name))
    typer.echo(f"Removed the list {name} with {removed:,} entries.")


def check(
    file: Annotated[Path, typer.Argument(help="An image file.")], config: ConfigOption = None, data: DataOption = None
) -> None:
    """Print the hashes of an image file in the form of a list, and which lists have it. Nothing is stored.

    The exit code is 1 if a list has it.

    Example: [bold]picshare hashlist check suspicious.jpg[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import hash_lists  # noqa: PLC0415 - heavy, and only needed here

    found, matches = run_async(hash_lists.check(settings, file))
    typer.echo(f"sha256,{found.sha256}\npdq,{found.pdq}")
    quality = f"# quality {found.quality} of 100"
    typer.echo(quality if found.comparable else f"{quality}, below {MIN_QUALITY}: the PDQ is not compared")
    for match in matches:
        if match.distance is None:
            typer.echo(f"# {match.list_name} ({match.action.value}) has the file itself")
        else:
            differs = f"differs in {match.distance} bits of at most {MAX_DISTANCE}"
            typer.echo(f"# {match.list_name} ({match.action.value}) has the image: pdq,{match.entry} {differs}")
    if matches:
        raise typer.Exit(1)
    typer.echo("# no list has it")


def scan(config: ConfigOption = None, data: DataOption = None) -> None:
    """Compare the photos that are there with all lists, after a list was loaded; the same follows as of an upload.

    The service may be running. It can be interrupted and repeated. Photos of an earlier version are compared once
    `picshare media hashes` has computed their hashes.

    Example: [bold]picshare hashlist scan[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import hash_scan  # noqa: PLC0415 - heavy, and only needed here

    done = run_async(hash_scan.scan(settings))
    typer.echo(f"{done.pictures:,} pictures: {done.found:,} new findings.")
