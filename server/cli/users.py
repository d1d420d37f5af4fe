"""The commands `picshare user …`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.models import Role

UsernameArgument = Annotated[str, typer.Argument(help="The name people type, as ada.")]
RoleOption = Annotated[Role, typer.Option("--role", help="What the account may do.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Create accounts, give them roles, look them up.", no_args_is_help=True)
    app.command()(create)
    app.command()(promote)
    app.command(name="list")(list_)
    return app


def create(  # noqa: PLR0917 - a command's parameters are its options
    username: UsernameArgument,
    email: Annotated[str, typer.Option("--email", help="E-mail address.", prompt=True)],
    password: Annotated[
        str,
        typer.Option(
            "--password",
            help="At least 8 characters; asked for when not given.",
            envvar="PICSHARE_NEW_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
        ),
    ],
    display_name: Annotated[str, typer.Option("--name", help="The name that others see.")] = "",
    role: RoleOption = Role.USER,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Create an account, also while the service runs.

    Example: [bold]picshare user create ada --email ada@example.com --role admin[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    user = run_async(
        commands.create_user(
            settings,
            username=username,
            email=email,
            password=password,
            display_name=display_name or username,
            role=role,
        )
    )
    typer.echo(f"Created {user.username} ({user.role.value}).")


def promote(
    username: UsernameArgument,
    role: RoleOption = Role.MODERATOR,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Give an account another role; `--role user` takes it back.

    Example: [bold]picshare user promote ada --role moderator[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    user = run_async(commands.set_role(settings, username, role))
    typer.echo(f"{user.username} is {user.role.value} now.")


def list_(
    prefix: Annotated[str, typer.Argument(help="What the names begin with.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List accounts by name.

    Example: [bold]picshare user list a --limit 20[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    table = Table("username", "name", "role", "photos", "followers", "created")
    for user in run_async(commands.find_users(settings, prefix, limit)):
        table.add_row(
            user.username,
            user.display_name,
            user.role.value,
            str(user.photos),
            str(user.followers),
            f"{user.created_at:%Y-%m-%d}",
        )
    Console().print(table)
