"""The commands `picshare push …`."""

from __future__ import annotations

import typer

from server.cli.options import ConfigOption, DataOption, settings_for


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Make and show the key by which push services know this installation.", no_args_is_help=True)
    app.command(name="create-key")(create_key)
    app.command()(key)
    return app


def create_key() -> None:
    """Print a new private key for push.vapid_key, and on standard error its public key.

    Nothing is stored. Give all processes the same key, and keep it: with another one, every browser has to subscribe
    again. `picshare run` needs none, because it makes its own.

    Example: [bold]picshare push create-key > vapid_key[/bold]
    """
    from server.administration import push  # noqa: PLC0415 - heavy, and only needed here

    made = push.create_key()
    typer.echo(made.text)
    typer.echo(f"The public key is {made.public}.", err=True)


def key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Print the public key with which browsers subscribe.

    Example: [bold]picshare push key[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import push  # noqa: PLC0415 - heavy, and only needed here

    typer.echo(push.public_key(settings))
