"""The text constants of a module and the names of its fields, read from its source.

A scan for the literals alone takes a tenth of the time of a syntax tree, and every export reads some seventy modules. A
test holds it to the syntax tree of every module of the exporter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<head>["'\#()\[\]{}\n])
    (?:
        (?<=\#)[^\n]*
      | (?<=[()\[\]{}])
      | (?<=\n)[ ]*(?P<field>[A-Za-z_]\w*):[ ](?![ ]*[\#\n])
      | (?<=["'])(?:
            (?P=head){2} (?:[^\\"']++|\\.|(?!(?P=head){3})["'])*+ (?P=head){3}
          | (?:[^\\"'\n]++|\\.|(?!(?P=head))["'])*+ (?P=head)
        )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""A literal, a comment, a bracket, or the name that an annotated assignment gives a value to."""

_PREFIX = re.compile(r"(?<!\w)[A-Za-z]{1,2}\Z")


def read_literals(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """The text constants of a module, with the fixed parts of its patterns, and the names that it annotates: those of
    fields, which are keys of what it writes. No docstring, nor any other text that is a statement of its own.

    >>> texts, names = read_literals('"A module."\\nNAME: str = "no " f"{thing:.2f} of {\\'b\\'}"\\n')
    >>> sorted(texts), sorted(names)
    ([' of ', '.2f', 'b', 'no '], ['NAME'])
    """
    rows, names = _scanned(source)
    texts: set[str] = set()
    others: list[str] = []
    for row in rows:
        literal = row[0]
        if len(row) > 1 or literal[0] not in "\"'" or "\\" in literal:
            others.append(" ".join(row))
        else:
            quotes = 3 if literal.startswith(('"""', "'''")) else 1
            texts.add(literal[quotes:-quotes])
    return frozenset(texts.union(_constants(others))), frozenset(names)


def _scanned(source: str) -> tuple[list[list[str]], set[str]]:
    """The literals as they are written, those together that stand in a row and are one text, and the names."""
    rows: list[list[str]] = []
    names: set[str] = set()
    depth = end = 0
    for found in _TOKEN.finditer(source):
        head, start = found["head"], found.start()
        if head in "\"'":
            line = source[source.rfind("\n", 0, start) + 1 : start]
            prefix = _PREFIX.search(line)
            start -= len(prefix[0]) if prefix else 0
            if not depth and not line[: prefix.start() if prefix else None].strip():
                continue  # a statement of its own
            if not rows or source[end:start].strip():
                rows.append([])
            end = found.end()
            rows[-1].append(source[start:end])
        elif head == "#":
            if not source[end:start].strip():
                end = found.end()  # a comment within a row
        elif head == "\n":
            if not depth:
                names.add(found["field"])
        else:
            depth += 1 if head in "([{" else -1
    return rows, names


def _constants(written: list[str]) -> Iterator[str]:
    """The text constants of some expressions, all read by one syntax tree."""
    for node in ast.walk(ast.parse(f"[{', '.join(written)}]", mode="eval")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
