"""The entry of the command line: commands in, one clear sentence and an exit code out.

Exit codes: 0 done, 1 something is wrong that was asked about or broke on the way, 2 the command,
the configuration or the machine does not allow it.
"""

from __future__ import annotations

import sys

import structlog
import typer

from server.cli import deadletters, inspection, loadtest, serve, users
from server.config.redaction import redact_text
from server.errors import ServerError
from storage.errors import ConflictError, EngineError, NotFoundError, SchemaError, UnavailableError
from workers.errors import BrokerError

HELP = """Photo sharing whose users see new photos, likes and comments the moment they happen.

Begin with [bold]picshare run[/bold]: everything in one process, data in ./data.
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
    inspection.add_commands(app)
    app.add_typer(users.build(), name="user")
    app.add_typer(deadletters.build(), name="deadletters")
    return app


def main() -> None:
    """Run the command line; what keeps it from working is one sentence on standard error, never a trace."""
    try:
        build_app()()
    except (ServerError, EngineError, SchemaError) as error:
        fail(str(error), code=2)
    except (UnavailableError, BrokerError, ConflictError, NotFoundError) as error:
        fail(str(error), code=1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the outermost frame: what is unforeseen is logged and told
        # A defect: the trace goes through the log, which takes credentials out, and not onto the screen.
        structlog.get_logger(__name__).exception("crashed")
        fail(f"Stopped by an unforeseen {type(error).__name__}; the log has the details.", code=1)


def fail(sentence: str, *, code: int) -> None:
    """Print a sentence on standard error and leave with `code`."""
    text = redact_text(sentence.strip())
    typer.echo(f"picshare: {text}", err=True)
    sys.exit(code)
