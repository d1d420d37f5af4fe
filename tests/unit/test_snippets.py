"""Each block of the documents is run or read by what it is written for, or names one of a few reasons."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import typer
from graphql import build_schema, parse, validate

from server.cli.main import build_app
from server.config.loading import load_settings
from tests.support.documents import ROOT, Block
from tests.support.snippets import (
    OWN_TESTS,
    READ,
    REASONS,
    RUN_WITH_A_SERVICE,
    SHELL,
    commands,
    has_own_test,
    picshare_commands,
    snippets,
)


def of(*languages: str) -> list[Block]:
    """Return the blocks of some languages."""
    return [block for block in snippets() if block.language in languages]


def test_each_block_is_run_or_says_why_not() -> None:
    """A block has a language that a runner reads, a test of its own, or a reason."""
    known = RUN_WITH_A_SERVICE | READ
    unknown = [
        f"{block.document}:{block.line}"
        for block in snippets()
        if block.language not in known and block.reason is None and not has_own_test(block)
    ]
    assert unknown == []


def test_few_blocks_are_not_run() -> None:
    """The reasons are of a short list, each is used, and most blocks of programs and commands are run."""
    reasons = Counter(block.reason for block in snippets() if block.reason is not None)
    assert set(reasons) == REASONS
    runnable = of(*RUN_WITH_A_SERVICE)
    assert sum(block.reason is None for block in runnable) >= 0.6 * len(runnable)


def test_own_tests_read_their_document() -> None:
    """Each of these tests names the document whose blocks it runs."""
    for (name, language), test in OWN_TESTS.items():
        text = (ROOT / test).read_text()
        assert f'blocks("{name}", "{language}")' in text or f'"docs" / "{Path(name).name}"' in text


@pytest.mark.parametrize("block", of("json"), ids=lambda block: block.name)
def test_json_is_read(block: Block) -> None:
    """A block is one value, the fields of an object, or a value for each line."""
    for text in (block.text, f"{{{block.text}}}"):
        try:
            json.loads(text)
        except json.JSONDecodeError:
            continue
        return
    for line in block.text.splitlines():
        json.loads(line)


@pytest.mark.parametrize("block", of("toml"), ids=lambda block: block.name)
def test_settings_are_loaded(block: Block, tmp_path: Path) -> None:
    """A block is a file of settings that the loader accepts."""
    file = tmp_path / "config.toml"
    file.write_text(block.text.replace('"…"', f'"{"x" * 40}"'))
    load_settings(file)


@pytest.mark.parametrize("block", of("graphql"), ids=lambda block: block.name)
def test_documents_are_valid(block: Block) -> None:
    """A document is valid in the published schema."""
    schema = build_schema((ROOT / "docs" / "schema.graphql").read_text())
    assert validate(schema, parse(block.text)) == []


@pytest.mark.parametrize("block", of("text"), ids=lambda block: block.name)
def test_texts_are_no_commands(block: Block) -> None:
    """What is shown as a text is a picture or a message: commands are blocks of `sh`, which are run."""
    assert not re.search(r"^(\$ |picshare |curl |make |python|pip |export |\.venv/)", block.text, re.MULTILINE)


@pytest.mark.parametrize("block", of(*SHELL), ids=lambda block: block.name)
def test_commands_are_those_of_the_shell_and_of_picshare(block: Block) -> None:
    """The shell can read each block, and each `picshare` in it names a command and options that exist.

    This is also so for blocks that are not run.
    """
    result = subprocess.run(["sh", "-n"], input=commands(block), text=True, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr
    for arguments in picshare_commands(block):
        accept(arguments)


@pytest.mark.parametrize("block", of(*SHELL), ids=lambda block: block.name)
def test_targets_of_make_exist(block: Block) -> None:
    """Each `make` names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^(?:\S+=\S+ )?make (\S+)", commands(block), re.MULTILINE)) <= targets


def accept(arguments: list[str]) -> None:
    """Parse the arguments of a `picshare` as its command line does; fail at an unknown command or option."""
    command = typer.main.get_command(build_app())
    context = command.make_context("picshare", ["--help"], resilient_parsing=True)
    while isinstance(command, typer.core.TyperGroup):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, arguments
        command, context = found, found.make_context(name, [], parent=context, resilient_parsing=True)
    command.make_parser(context).parse_args(list(arguments))
