"""The commands `picshare graphql`: a directory of documents becomes a manifest, or is compared with one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.main import build_app
from server.errors import ConfigError
from server.graphql.manifest import load_manifest

DOCUMENT = "query User($name: String!) { user(username: $name) { id } }\n"
DIGEST = hashlib.sha256(DOCUMENT.encode()).hexdigest()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with one document, in a subdirectory."""
    folder = tmp_path / "queries" / "users"
    folder.mkdir(parents=True)
    (folder / "user.graphql").write_text(DOCUMENT)
    return tmp_path / "queries"


def run(*arguments: str | Path) -> tuple[int, str]:
    """Run a command; return its exit code and its output."""
    result = CliRunner().invoke(build_app(), ["graphql", *map(str, arguments)])
    return result.exit_code, result.output


def test_a_manifest_is_written_and_read(directory: Path, tmp_path: Path) -> None:
    """The file has the documents by their SHA-256, in the form that processes read."""
    file = tmp_path / "documents.json"
    assert run("manifest", directory, "--output", file) == (0, f"1 documents are in {file}.\n")
    assert load_manifest(file) == {DIGEST: DOCUMENT}
    assert run("manifest", directory, "--check", file)[0] == 0


def test_a_document_that_is_not_valid_is_named(directory: Path, tmp_path: Path) -> None:
    """Nothing is written, and each fault has its file and place."""
    (directory / "wrong.gql").write_text("{ me {\n  unknown } }")
    code, output = run("manifest", directory, "--output", tmp_path / "documents.json")
    assert code == 1
    assert output.startswith(f"{directory / 'wrong.gql'}: 1:3: Cannot query field 'me' on type 'Query'.")
    assert not (tmp_path / "documents.json").exists()


def test_a_manifest_with_other_documents_is_found(directory: Path, tmp_path: Path) -> None:
    """The check names what is missing, and what is there in addition."""
    file = tmp_path / "documents.json"
    other = "{ viewer { user { id } } }"
    digest = hashlib.sha256(other.encode()).hexdigest()
    file.write_text(json.dumps({digest: other}))
    assert run("manifest", directory, "--check", file) == (1, f"missing: {DIGEST}\nin addition: {digest}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "should be an object of documents"),
        ('{"00": 1}', "should be an object of documents"),
        ('{"00": "{ a }"}', "00 is not the SHA-256 of its document"),
        (None, "cannot be read"),
    ],
    ids=["no JSON", "a list", "no text", "another hash", "no file"],
)
def test_a_file_that_is_no_manifest(tmp_path: Path, content: str | None, message: str) -> None:
    """A process does not start with it, and says why."""
    file = tmp_path / "documents.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_manifest(file)


def test_either_output_or_check(directory: Path) -> None:
    """A command without one of them, and an empty directory, are refused."""
    assert run("manifest", directory)[0] == 2


def test_the_schema() -> None:
    """The schema is printed in its definition language."""
    code, output = run("schema")
    assert code == 0
    assert "type Query {" in output
