"""What is done with each fenced block of the documents: the runner of its language, or a reason why none runs it."""

from __future__ import annotations

import re
import shlex

from tests.support.documents import ROOT, Block, blocks

# Why a block is not run. A block names one of these in a comment before it: <!-- not run: needs root -->
REASONS = {
    "it stays in the foreground",  # the tests start the same commands, and end them
    "needs root",
    "needs the network",
    "needs several servers",
    "needs a user in a browser",
    "needs Xcode",
    "needs the SDK of Android",
    "needs Flutter",
    "takes minutes",
}
# Blocks that a test of their own runs: that file reads them from the document.
OWN_TESTS = {
    ("docs/graphql.md", "graphql"): "tests/integration/server/graphql/test_guide.py",
    ("docs/tutorial.md", "html"): "tests/browser/test_docs_site.py",
    ("docs/webhook-receiver.md", "python"): "tests/integration/workers/jobs/webhooks/test_webhook_receiver.py",
}
# `python -m server.cli.reference` writes it, and a test compares the two.
GENERATED = {"docs/cli.md"}
SHELL = {"sh", "console"}
# Languages whose blocks are run with a service (tests/e2e/test_snippets.py), or read by what reads them
# (tests/unit/test_snippets.py).
RUN_WITH_A_SERVICE = {*SHELL, "python", "js"}
# The arguments of `picshare` where a command begins, up to its end or a redirection.
_CALL = re.compile(r"""(?:^|[;&|(]\s*|=\S+ )picshare ((?:[^|;&>)"']|"[^"]*"|'[^']*')+)""")
READ = {"json", "toml", "graphql", "http", "promql", "csv", "text"}


def snippets() -> list[Block]:
    """Return all blocks of README.md and of the documents."""
    names = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
    return [block for name in names if name not in GENERATED for block in blocks(name)]


def has_own_test(block: Block) -> bool:
    """Return whether a test of its own runs the block."""
    return (block.document, block.language) in OWN_TESTS


def commands(block: Block) -> str:
    """Return the script of a block of commands: of a console what follows the prompt, with its continuations."""
    if block.language != "console":
        return block.text
    lines, goes_on = list[str](), False
    for line in block.text.splitlines():
        if goes_on or line.startswith("$ "):
            lines.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\")
    return "\n".join(lines) + "\n"


def picshare_commands(block: Block) -> list[list[str]]:
    """Return the arguments of each `picshare` that a block of commands starts, up to the end of its command."""
    script = re.sub(r"\\\n\s*", " ", commands(block))
    found = []
    for line in script.splitlines():
        code = re.sub(r"\$\([^()]*\)", "value", re.sub(r"(^|\s)#.*", "", line))
        found += [shlex.split(call) for call in _CALL.findall(code)]
    return found
