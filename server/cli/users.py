"""The commands `picshare user …`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from storage.models import Role

UsernameArgument = Annotated[str, typer.Argument(help="The username, such as ada.")]
RoleOption = Annotated[Role, typer.Option("--role", help="Role of the account.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(
        help="Create, list, delete and restore accounts, set their roles and passwords, end sessions and tokens.",
        no_args_is_help=True,
    )
    app.command()(create)
    app.command()(promote)
    app.command()(delete)
    app.command()(restore)
    app.command(name="verify-email")(verify_email)
    app.command(name="reset-password")(reset_password)
    app.command(name="list")(list_)
    app.command()(sessions)
    app.command(name="end-sessions")(end_sessions)
    app.command()(tokens)
    app.command(name="revoke-tokens")(revoke_tokens)
    app.command(name="disable-second-factor")(disable_second_factor)
    return app


def create(  # noqa: PLR0917 - a command's parameters are its options
    username: UsernameArgument,
    email: Annotated[str, typer.Option("--email", help="E-mail address.", prompt=True)],
    password: Annotated[
        str,
        typer.Option(
            "--password",
            help="At least 8 characters; prompted for if not given.",
            envvar="PICSHARE_NEW_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
        ),
    ],
    display_name: Annotated[str, typer.Option("--name", help="Display name; by default the username.")] = "",
    role: RoleOption = Role.USER,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Create an account; the service may be running.

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
            display_name=display_name,
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
    """Set the role of an account; `--role user` removes a higher one.

    Example: [bold]picshare user promote ada --role moderator[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    user = run_async(commands.set_role(settings, username, role))
    typer.echo(f"{user.username} now has the role {user.role.value}.")


def delete(
    username: UsernameArgument,
    now: Annotated[
        bool,
        typer.Option("--now", help="For good; also an account that can still be restored."),
    ] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Delete an account, which is hidden at once; until the time that is printed, `restore` undoes it.

    Example: [bold]picshare user delete ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    due_at = run_async(commands.delete_user(settings, username, at_once=now))
    typer.echo(
        f"Deleted {username} for good."
        if due_at is None
        else f"Deleted {username}. Until {due_at:%Y-%m-%d %H:%M} UTC this can be undone."
    )


def restore(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Undo the deletion of an account.

    Example: [bold]picshare user restore ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    user = run_async(commands.restore_user(settings, username))
    typer.echo(f"Restored {user.username}.")


def verify_email(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Count the e-mail address of an account as verified, as if its user had opened the link.

    Example: [bold]picshare user verify-email ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import mail  # noqa: PLC0415 - heavy, and only needed here

    address = run_async(mail.verify_email(settings, username))
    typer.echo(f"{address} is the verified address of {username}.")


def reset_password(
    username: UsernameArgument,
    password: Annotated[
        str,
        typer.Option(
            "--password",
            help="At least 8 characters; prompted for if not given.",
            envvar="PICSHARE_NEW_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
        ),
    ],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Set a new password for an account and end its sessions, for a user who cannot get mail.

    Example: [bold]picshare user reset-password ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import mail  # noqa: PLC0415 - heavy, and only needed here

    ended = run_async(mail.reset_password(settings, username, password))
    typer.echo(f"{username} has a new password. Sessions that ended: {ended}.")


def list_(
    prefix: Annotated[str, typer.Argument(help="Beginning of the usernames.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List accounts by username.

    Example: [bold]picshare user list a --limit 20[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("username", "name", "role", "photos", "followers", "created")
    for user in run_async(commands.find_users(settings, prefix, limit)):
        table.add_row(
            user.username,
            user.display_name,
            user.role.value,
            str(user.photos),
            str(user.followers),
            f"{user.created_at:%Y-%m-%d}",
        )
    tables.console().print(table)


def sessions(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the active sessions of an account, the one that was seen last first.

    Example: [bold]picshare user sessions ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import account_security  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("device", "network", "created", "last seen")
    for session in run_async(account_security.sessions(settings, username)):
        table.add_row(
            session.device,
            session.network,
            f"{session.created_at:%Y-%m-%d %H:%M}",
            f"{session.last_seen_at:%Y-%m-%d %H:%M}",
        )
    tables.console().print(table)


def end_sessions(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """End all sessions of an account, and its access tokens; workers close its live connections.

    Example: [bold]picshare user end-sessions ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import account_security  # noqa: PLC0415 - heavy, and only needed here

    ended = run_async(account_security.end_sessions(settings, username))
    typer.echo(f"Ended {ended} {'session' if ended == 1 else 'sessions'} of {username}.")


def tokens(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the access tokens of an account, and the applications that are connected with it.

    Example: [bold]picshare user tokens ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import account_security  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("name", "application", "scopes", "created", "last used")
    for token in run_async(account_security.tokens(settings, username)):
        table.add_row(
            token.name,
            token.application or "own token",
            token.scopes,
            f"{token.created_at:%Y-%m-%d %H:%M}",
            "never" if token.last_used_at is None else f"{token.last_used_at:%Y-%m-%d %H:%M}",
        )
    tables.console().print(table)


def revoke_tokens(
    username: UsernameArgument,
    application: Annotated[
        str | None, typer.Option("--application", help="Id of one application, as `tokens` lists it; by default all.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """End the access tokens of an account, those of applications included; its sessions go on.

    Example: [bold]picshare user revoke-tokens ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import account_security  # noqa: PLC0415 - heavy, and only needed here

    ended = run_async(account_security.revoke_tokens(settings, username, application=application))
    typer.echo(f"Revoked {ended} {'token' if ended == 1 else 'tokens'} of {username}.")


def disable_second_factor(username: UsernameArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Turn the second factor of an account off, for a user who has lost it; the user is notified.

    Example: [bold]picshare user disable-second-factor ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import account_security  # noqa: PLC0415 - heavy, and only needed here

    removed = run_async(account_security.disable_second_factor(settings, username))
    typer.echo(f"{username} signs in without a second factor now." if removed else f"{username} has no second factor.")
