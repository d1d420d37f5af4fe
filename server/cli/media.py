"""The commands `picshare media …`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from server.administration.media_report import Report
from server.cli.options import ConfigOption, DataOption, run_async, settings_for


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="Check the stored images, make variants again, compute missing hashes, and release originals.",
        no_args_is_help=True,
    )
    app.command()(verify)
    app.command()(rebuild)
    app.command()(hashes)
    app.command()(quarantine)
    app.command()(release)
    return app


def verify(
    sample: Annotated[
        int | None, typer.Option("--sample", min=0, help="Read only so many originals to compare their hashes.")
    ] = None,
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended without a backup.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Compare the database with the blob store: rows without objects, objects without rows, wrong sizes and hashes.

    The service may be running. Objects of the last hour are left alone. The exit code is 1 if something remains wrong.

    Example: [bold]picshare media verify --sample 1000 --mend[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    report = run_async(commands.verify_media(settings, sample=sample, mend=mend))
    show(report)
    if not report.ok:
        raise typer.Exit(1)


def rebuild(
    recipe: Annotated[int, typer.Option("--recipe", min=1, max=9999, help="Number of the recipe.")],
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Images that are decoded at once.")] = 1,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make the variants of all images that are made when a photo is processed, as far as they are missing.

    With the number that `media.recipe` will get, it prepares a new recipe; with the present one, it replaces variants
    that were lost. Without it variants are made when they are requested. The service may be running. The exit code is
    1 if an original is missing.

    Example: [bold]picshare media rebuild --recipe 2[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration.media_rebuild import rebuild as rebuild_  # noqa: PLC0415 - heavy, and only needed here

    outcomes = run_async(rebuild_(settings, recipe=recipe, processes=processes))
    numbers = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    typer.echo(f"{outcomes.total():,} contents: {numbers or 'nothing to do'}.")
    if outcomes["unavailable"]:
        raise typer.Exit(1)


def hashes(
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Images that are decoded at once.")] = 1,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Compute the hashes of photos of an earlier version, which have none, so that lists of known images find them.

    The service may be running. It can be interrupted and repeated. The exit code is 1 if an original is missing or
    cannot be decoded.

    Example: [bold]picshare media hashes --processes 4[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import media_hashes  # noqa: PLC0415 - heavy, and only needed here

    outcomes = run_async(media_hashes.compute(settings, processes=processes))
    numbers = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    typer.echo(f"{outcomes.total():,} photos: {numbers or 'nothing to do'}.")
    if outcomes["unavailable"]:
        raise typer.Exit(1)


def quarantine(config: ConfigOption = None, data: DataOption = None) -> None:
    """List the originals in quarantine, which the service at `media.scan` has named: SHA-256, bytes, type.

    They are kept whatever is deleted, and not shown.

    Example: [bold]picshare media quarantine[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import quarantine as administration  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(administration.find(settings))
    for one in found:
        typer.echo(f"{one.sha256} {one.size} {one.content_type}")
    if not found:
        typer.echo("There are none.")


def release(
    sha256: Annotated[str, typer.Argument(help="The SHA-256 of the original.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Release an original from quarantine: it is deleted if nothing uses it, and can be posted again.

    Release one once the law allows it. The exit code is 1 if it is not in quarantine.

    Example: [bold]picshare media release 5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import quarantine as administration  # noqa: PLC0415 - heavy, and only needed here

    if not run_async(administration.release(settings, sha256)):
        typer.echo("This original is not in quarantine; `picshare media quarantine` lists those that are.", err=True)
        raise typer.Exit(1)
    typer.echo("Released.")


def show(report: Report) -> None:
    """Print a report: a table on a terminal, else one line for each difference; then a summary."""
    console = Console()
    if report.differences and console.is_terminal:
        table = Table("", "content", "found", "outcome", box=None)
        for item in report.differences:
            table.add_row("mended" if item.mended else "WRONG", item.sha256, item.fault, item.outcome)
        console.print(table)
    elif report.differences:
        for item in report.differences:
            typer.echo(f"{'mended' if item.mended else 'WRONG'} {item.sha256} {item.fault}: {item.outcome}")
    wrong = sum(not item.mended for item in report.differences)
    compared = f"{report.rows:,} rows, {report.originals:,} originals ({report.read:,} read)"
    mended = len(report.differences) - wrong
    typer.echo(f"{compared}, {report.with_variants:,} contents with variants: {wrong:,} wrong, {mended:,} mended.")
