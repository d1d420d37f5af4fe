"""The entry point of the command line; every error is one sentence on standard error and an exit code.

Exit codes: 0 success; 1 a check failed, or an error occurred while the command ran; 2 the command, the configuration or
the machine prevents the start.
"""

from __future__ import annotations

import sys

import structlog
import typer

from server.cli import (
    applications,
    backups,
    deadletters,
    graphql,
    hashlist,
    inspection,
    loadtest,
    mail,
    media,
    moderation,
    plan,
    push,
    serve,
    stars,
    users,
    webhooks,
)
from server.config.redaction import redact_text
from server.errors import ServerError
from storage.errors import ConflictError, EngineError, EngineLostError, NotFoundError, SchemaError, UnavailableError
from workers.errors import BrokerError

HELP = """Photo sharing with live delivery of new photos, likes and comments.

Start with [bold]picshare run[/bold]: everything in one process, with its data in ./data.
"""


def build_app() -> typer.Typer:
    """Return the command line with all its commands."""
    app = typer.Typer(
        name="picshare",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    serve.add_commands(app)
    loadtest.add_commands(app)
    plan.add_commands(app)
    inspection.add_commands(app)
    backups.add_commands(app)
    app.add_typer(users.build(), name="user")
    app.add_typer(applications.build(), name="application")
    app.add_typer(deadletters.build(), name="deadletters")
    app.add_typer(mail.build(), name="mail")
    app.add_typer(media.build(), name="media")
    app.add_typer(graphql.build(), name="graphql")
    app.add_typer(hashlist.build(), name="hashlist")
    app.add_typer(moderation.build(), name="moderation")
    app.add_typer(push.build(), name="push")
    app.add_typer(stars.build(), name="stars")
    app.add_typer(webhooks.build(), name="webhooks")
    return app


def main() -> None:
    """Run the command line; an error is one sentence on standard error, never a traceback."""
    try:
        build_app()()
    except (ServerError, EngineError, SchemaError) as error:
        fail(str(error), code=2)
    except (UnavailableError, BrokerError, ConflictError, NotFoundError, EngineLostError) as error:
        fail(str(error), code=1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost frame: an unexpected error is logged and reported
        # A defect. The traceback is logged rather than printed, because the log masks credentials.
        structlog.get_logger(__name__).exception("crashed")
        fail(f"Stopped by an unexpected {type(error).__name__}; the log has the details.", code=1)


def fail(sentence: str, *, code: int) -> None:
    """Print a sentence on standard error and exit with `code`."""
    text = redact_text(sentence.strip())
    typer.echo(f"picshare: {text}", err=True)
    sys.exit(code)
