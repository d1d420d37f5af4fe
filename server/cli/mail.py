"""The commands `picshare mail …`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.options import ConfigOption, DataOption, run_async, settings_for


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Try the mail server of the settings.", no_args_is_help=True)
    # Without a callback, a group of one command would be that command itself.
    app.callback()(_group)
    app.command(name="test")(send_test)
    return app


def _group() -> None:
    """Try the mail server of the settings."""


def send_test(
    address: Annotated[str, typer.Argument(help="The address to which the mail is sent.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Send a mail at once, without the queue, and report what the server says.

    Example: [bold]picshare mail test ada@example.com[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import mail  # noqa: PLC0415 - heavy, and only needed here

    error = run_async(mail.send_test(settings, address))
    if error is not None:
        typer.echo(f"picshare: the mail was not sent: {error}", err=True)
        raise typer.Exit(1)
    typer.echo(f"The mail to {address} was handed to the server of mail.url.")
