"""The commands `picshare webhooks …`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for

IdArgument = Annotated[str, typer.Argument(help="The webhook's id, as `picshare webhooks list` shows it.")]


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="List webhooks and their attempts, and disable them.", no_args_is_help=True)
    app.command(name="list")(list_)
    app.command()(attempts)
    app.command()(disable)
    return app


def list_(
    username: Annotated[str, typer.Argument(help="The username of the owner; without one, webhooks that fail.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List the webhooks of an account, or those that fail or are disabled, the longest failing ones first.

    Example: [bold]picshare webhooks list ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import webhooks  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("id", "owner", "url", "state", "events", "failures", "failing since")
    for row in run_async(webhooks.find(settings, username or None, limit)):
        since = row.failing_since
        table.add_row(
            row.id,
            row.owner,
            row.url,
            row.state,
            f"{row.events}{' of all users' if row.everything else ''}",
            str(row.failures),
            "" if since is None else f"{since:%Y-%m-%d %H:%M}",
        )
    tables.console().print(table)


def attempts(
    webhook: IdArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number.")] = 20,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List the newest attempts at a webhook.

    Example: [bold]picshare webhooks attempts 01K3S9C0XG4Q7[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import webhooks  # noqa: PLC0415 - heavy, and only needed here

    table = tables.table("at", "event", "message", "attempt", "outcome", "status", "ms", "error")
    for row in run_async(webhooks.attempts(settings, webhook, limit)):
        table.add_row(
            f"{row.created_at:%Y-%m-%d %H:%M:%S}",
            row.type,
            row.message_id,
            str(row.number),
            row.outcome,
            "" if row.status is None else str(row.status),
            str(row.milliseconds),
            row.error or "",
        )
    tables.console().print(table)


def disable(
    webhook: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="What its owner reads.")] = "An administrator disabled it.",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Disable a webhook; nothing is sent to it until its owner verifies it again. The owner is notified.

    Example: [bold]picshare webhooks disable 01K3S9C0XG4Q7 --reason "It floods our network."[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import webhooks  # noqa: PLC0415 - heavy, and only needed here

    url = run_async(webhooks.disable(settings, webhook, reason))
    typer.echo(f"Disabled the webhook at {url}.")
