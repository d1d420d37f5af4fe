"""The command `picshare application delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.options import ConfigOption, DataOption, run_async, settings_for


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Delete applications that use the API for their users.", no_args_is_help=True)
    # With a callback it stays a group, although it has one command.
    app.callback()(_group)
    app.command()(delete)
    return app


def _group() -> None:
    """Delete applications that use the API for their users."""


def delete(
    client_id: Annotated[str, typer.Argument(help="The application's id, as `picshare user tokens` lists it.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Delete an application: it gets no tokens any more, and those that it has end within a minute.

    Example: [bold]picshare application delete 03BATSFA90EM3[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import applications  # noqa: PLC0415 - heavy, and only needed here

    name = run_async(applications.delete(settings, client_id))
    typer.echo(f"Deleted the application {name!r}.")
