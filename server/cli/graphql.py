"""The commands `picshare graphql …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build() -> typer.Typer:
    """Return the group of commands."""
    app = typer.Typer(help="Print the GraphQL schema, and register documents.", no_args_is_help=True)
    app.command()(manifest)
    app.command()(schema)
    return app


def manifest(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Directory of documents: files that end with .graphql or .gql, each with one.",
            exists=True,
            file_okay=False,
        ),
    ],
    *,
    output: Annotated[Path | None, typer.Option("--output", help="File to write, for graphql.manifest.")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="A manifest to compare with the documents instead.", exists=True)
    ] = None,
) -> None:
    """Check documents against the schema, and write the manifest that the setting graphql.manifest names.

    Documents are executed by their SHA-256 then, and with graphql.documents = "trusted" no others are. Each document
    that is not valid is named, and nothing is written. With --check the exit code is 1 where the manifest lacks a
    document, or has others in addition.

    Example: [bold]picshare graphql manifest web/queries --output documents.json[/bold]
    """
    if (output is None) is (check is None):
        raise typer.BadParameter("Give either --output or --check.")
    from server.administration import graphql_manifest  # noqa: PLC0415 - heavy, and only needed here

    found = graphql_manifest.read_directory(directory)
    for path, message in found.faults:
        typer.echo(f"{path}: {message}", err=True)
    if found.faults:
        raise typer.Exit(1)
    if output is not None:
        graphql_manifest.write(found, output)
        typer.echo(f"{len(found.documents)} documents are in {output}.")
    elif check is not None:
        difference = graphql_manifest.compare(found, check)
        for digest in difference.missing:
            typer.echo(f"missing: {digest}", err=True)
        for digest in difference.additional:
            typer.echo(f"in addition: {digest}", err=True)
        if difference.missing or difference.additional:
            raise typer.Exit(1)
        typer.echo(f"{check} has the {len(found.documents)} documents of {directory}.")


def schema() -> None:
    """Print the schema, as GET /graphql/schema.graphql does.

    Example: [bold]picshare graphql schema > schema.graphql[/bold]
    """
    from server.administration import graphql_manifest  # noqa: PLC0415 - heavy, and only needed here

    typer.echo(graphql_manifest.schema_text())
