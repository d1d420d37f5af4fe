"""Join the modules of the web application, so that a page needs one request for its script and one for its style.

The sources stay modules that a browser can load one by one. They keep to a form that makes joining simple: they import
and export by name, export no variable that changes, wait for nothing at their top level, and import each other in no
circle. So each module becomes a function that runs once, after those that it imports, with what it exports as its
result:

    modules["js/like.js"] ??= (() => { const { h } = modules["js/dom.js"]; …; return { likeButton }; })();

Comments in lines of their own are left out. A module that another one imports when it is needed, by `import("./x.js")`,
is joined with what it imports in addition. The joined file has the place of the module that it begins with, so the
paths of such imports are changed to lead from there. After an update, a page of the version before may be sent a file
of the next one; it throws an `OtherVersionError`, and the page is loaded again (static/js/elements/router.js).

The script of the service worker is joined as well, into one that is no module: browsers differ in whether they take
modules there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

FOLDER = "joined"
WORKER = "sw.js"

_BEGINNING = """const modules = (globalThis.picshareModules ??= { version: "VERSION" });
if (modules.version !== "VERSION") {
  throw Object.assign(new Error("This page has another version."), { name: "OtherVersionError" });
}
"""
_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
_REEXPORT = re.compile(r'^export \{([^}]*)\} from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function\*? |class |const )(\w+)", re.MULTILINE)
_OTHER = re.compile(r"^(?:import(?!\()|export|(?:const [^=\n]*= )?await)\b.*$", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
_LATER = re.compile(r'\bimport\("([^"]+)"\)')
_SCRIPT = re.compile(r'<script type="module" src="/static/([^"]+)">')
_STYLES = re.compile(r'(?:[ \t]*<link rel="stylesheet" href="/static/[^"]+">\n)+')
_STYLE = re.compile(r'href="/static/([^"]+)"')


class ModuleFormError(ValueError):
    """A module has a form that cannot be joined."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its text without imports, what it exports (as a value of JavaScript), and the modules it imports.

    `later` are those that it imports when they are needed.
    """

    text: str
    exports: tuple[str, ...]
    imports: tuple[str, ...]
    later: tuple[str, ...]


def joined_files(contents: Mapping[str, bytes], version: str = "") -> dict[str, bytes]:
    """Return the joined scripts and styles of all pages among some files, by their paths, and these pages.

    So is the script of the service worker. `version` is that of the files. Raises `ModuleFormError`.
    """
    graph, files = _Graph(contents, version), dict[str, bytes]()
    if WORKER in contents:
        files[WORKER] = graph.script(WORKER)
    for name in [name for name in contents if name.endswith(".html")]:
        page = contents[name].decode()
        for entry in _SCRIPT.findall(page):
            files.update(graph.joined(entry))
            page = page.replace(f'src="/static/{entry}"', f'src="/static/{FOLDER}/{entry}"')
        if styles := _STYLES.search(page):
            style = f"{FOLDER}/{posixpath.splitext(name)[0]}.css"
            files[style] = b"".join(contents[path] for path in _STYLE.findall(styles[0]))
            page = page.replace(styles[0], f'    <link rel="stylesheet" href="/static/{style}">\n')
        files[name] = page.encode()
    return files


def parsed(path: str, source: str) -> Module:
    """Return a module; raise `ModuleFormError`."""
    imports: dict[str, None] = {}
    exports: list[str] = []

    def target(relative: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))

    def imported(match: re.Match[str]) -> str:
        imports[target(match[2])] = None
        names = match[1].replace(" as ", ": ")
        return f'const {{{names}}} = modules["{target(match[2])}"];'

    def exported_again(match: re.Match[str]) -> str:
        imports[target(match[2])] = None
        for name in match[1].split(","):
            former, _, given = name.strip().partition(" as ")
            exports.append(f'{given or former}: modules["{target(match[2])}"].{former}')
        return ""

    def exported(match: re.Match[str]) -> str:
        exports.append(match[2])
        return match[1] + match[2]

    text = _EXPORT.sub(exported, _REEXPORT.sub(exported_again, _IMPORT.sub(imported, source)))
    if other := _OTHER.search(text):
        raise ModuleFormError(f"{path}: {other[0]!r} is a form that cannot be joined")
    later = tuple(target(relative) for relative in _LATER.findall(text))
    return Module(_COMMENT.sub("", text), tuple(exports), tuple(imports), later)


class _Graph:
    def __init__(self, contents: Mapping[str, bytes], version: str) -> None:
        self._contents = contents
        self._version = version
        self._module = cache(self._parsed)

    def script(self, entry: str) -> bytes:
        """Return a module with all that it imports, as a script that is no module."""
        return f'"use strict";\n{self._text(self._closure(entry), entry)}'.encode()

    def joined(self, entry: str) -> Iterator[tuple[str, bytes]]:
        """Yield the joined file of a page's module, and those of modules that are imported later, by their paths."""
        first = self._closure(entry)
        yield f"{FOLDER}/{entry}", self._text(first, entry).encode()
        found = dict.fromkeys(later for path in first for later in self._module(path).later)
        done: set[str] = set()
        while found:
            path, _ = found.popitem()
            if path in done:
                continue
            done.add(path)
            closure = self._closure(path)
            found |= dict.fromkeys(later for each in closure for later in self._module(each).later)
            # A module that the page has already is only exported.
            text = self._text({each: None for each in closure if each not in first}, path)
            names = ", ".join(export.partition(":")[0] for export in self._module(path).exports)
            yield f"{FOLDER}/{path}", f'{text}export const {{ {names} }} = modules["{path}"];\n'.encode()

    def _closure(self, entry: str) -> dict[str, None]:
        """Return a module and all that it imports, each after those that it imports itself."""
        ordered: dict[str, None] = {}
        entered: set[str] = set()

        def visit(path: str) -> None:
            if path in ordered:
                return
            if path in entered:
                raise ModuleFormError(f"{path} imports itself in a circle")
            entered.add(path)
            for each in self._module(path).imports:
                visit(each)
            ordered[path] = None

        visit(entry)
        return ordered

    def _text(self, paths: Mapping[str, None], place: str) -> str:
        parts = [_BEGINNING.replace("VERSION", self._version)]
        for path in paths:
            module = self._module(path)
            parts += (
                f'modules["{path}"] ??= (() => {{',
                _from_place(module.text, path, place),
                f"return {{ {', '.join(module.exports)} }};\n}})();\n",
            )
        return "".join(parts)

    def _parsed(self, path: str) -> Module:
        try:
            return parsed(path, self._contents[path].decode())
        except KeyError as error:
            raise ModuleFormError(f"there is no module {path}") from error


def _from_place(text: str, path: str, place: str) -> str:
    """Return the text of a module, whose later imports lead from the place of the joined file."""

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
        relative = posixpath.relpath(target, posixpath.dirname(place))
        return f'import("{relative if relative.startswith(".") else f"./{relative}"}")'

    return _LATER.sub(moved, text)
