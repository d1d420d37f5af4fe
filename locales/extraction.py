"""The English texts in the sources: those of the web application, and those of the server.

The page marks its texts by `t("…")`, `tn("…", "…")` and `tc("context", "…")`, the server by `sentence`,
`counted_sentence` and `marked` (`locales.sentences`). Errors need no mark: every sentence in the modules below is one
that a user may see.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_STRING = r'"(?:[^"\\\n]|\\.)*"'
# A call with literals as its first arguments; the words of comments are removed before.
_CALLS = re.compile(rf"(?<![\w.$#])(tn|tc|t)\(\s*({_STRING})(?:,\s*({_STRING}))?")
_COMMENTS = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = "from locales.sentences import"
_MARKS = {"sentence": 1, "counted_sentence": 2, "marked": 1}
# Its argument is a noun in the sentence about what was not found.
_NOUN = "NotFoundError"
# Where errors for users are made. A sentence begins with a capital letter and ends with a full stop.
_ERRORS = (
    "server/actions/*.py",
    "server/edge/problem.py",
    "server/edge/problems.py",
    "server/identity/errors.py",
    "server/identity/passwords.py",
    "server/identity/relying_party.py",
    "storage/texts.py",
    "storage/stores/**/*.py",
    "workers/mails/tokens.py",
)
_SENTENCE = re.compile(r"[A-Z][^\n]* [^\n]*[.?!]")
_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|SET)\b")
# Errors of programs, whose developers read English: OAuth, single sign-on, resumable uploads.
_FOR_PROGRAMS = {"authorizations.py", "token_grants.py", "applications.py"}


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the sources: its context, its form for other numbers than one, and the file with it."""

    text: str
    several: str | None
    context: str | None
    file: str


@cache
def page_texts() -> Sequence[Text]:
    """Return the texts of the web application."""
    return tuple(_page_texts())


@cache
def server_texts() -> Sequence[Text]:
    """Return the texts of the server."""
    return tuple(_server_texts())


def _page_texts() -> Iterator[Text]:
    for path in sorted((ROOT / "static/js").rglob("*.js")):
        source = _COMMENTS.sub("", path.read_text())
        for call, first, second in _CALLS.findall(source):
            texts = [json.loads(literal) for literal in (first, second) if literal]
            file = path.relative_to(ROOT).as_posix()
            if call == "tn":
                yield Text(texts[0], texts[1], None, file)
            elif call == "tc":
                yield Text(texts[1], None, texts[0], file)
            else:
                yield Text(texts[0], None, None, file)


def _server_texts() -> Iterator[Text]:
    for path in _modules():
        file, source = path.relative_to(ROOT).as_posix(), path.read_text()
        has_errors = path in _modules_with_errors()
        if not has_errors and _IMPORT not in source:
            continue
        tree = ast.parse(source)
        for node in ast.walk(tree) if _IMPORT in source else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MARKS:
                literals = [
                    each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
                ]
                if literals:
                    several = literals[1] if _MARKS[node.func.id] == 2 else None
                    yield Text(literals[0], several, None, file)
        if has_errors:
            yield from (Text(noun, None, None, file) for noun in _nouns(tree))
            yield from (Text(text, None, None, file) for text in _sentences(tree))


@cache
def _modules_with_errors() -> frozenset[Path]:
    return frozenset(path for pattern in _ERRORS for path in ROOT.glob(pattern) if path.name not in _FOR_PROGRAMS)


def _modules() -> Iterator[Path]:
    for package in ("server", "storage", "workers"):
        yield from sorted((ROOT / package).rglob("*.py"))


def _nouns(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == _NOUN and node.args:
            noun = node.args[0]
            if isinstance(noun, ast.Constant) and isinstance(noun.value, str):
                yield noun.value


def _sentences(node: ast.AST) -> Iterator[str]:
    """Yield the constants that are sentences, without docstrings and texts with values in them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr | ast.JoinedStr) and not isinstance(getattr(child, "value", None), ast.Call):
            continue
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id in _MARKS:
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            if _SENTENCE.fullmatch(child.value) and not _STATEMENT.match(child.value):
                yield child.value
        else:
            yield from _sentences(child)
