"""The command `picshare moderation findings`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli import tables
from server.cli.options import ConfigOption, DataOption, run_async, settings_for


def findings(
    username: Annotated[str, typer.Argument(help="The username or id of an account; without one, all.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number.")] = 50,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List the newest findings of automatic rules, with the facts. Each has opened a case, or was added to one.

    Example: [bold]picshare moderation findings ada[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import abuse_findings  # noqa: PLC0415 - heavy, and only needed here

    found = run_async(abuse_findings.find(settings, username or None, limit))
    if not found:
        typer.echo("There are no findings.")
        return
    table = tables.table("at", "account", "kind", "rule", "subject", "action", "facts")
    for row in found:
        moment = f"{row.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(moment, row.account, row.kind, row.rule, row.subject, row.action, row.facts)
    tables.console().print(table)
