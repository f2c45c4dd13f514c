"""How a value of an instance is found: by a tag, by its path below the source, or in a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError
from ..inventory.instance import Instance
from ..tables import read_table
from ..trial import Lookup, Trial

Finder = Callable[[Instance], str]


def finder(rule: Lookup, trial: Trial, group: str, default: str) -> Finder:
    """How to read one value of an instance, as the rule says; "" where there is none.

    ``group`` is the named group of a path's pattern, ``default`` the keyword where the rule says nothing ("" for none).
    Raises ``UsageError`` where a table cannot be used.
    """
    if rule.path is not None:
        pattern = re.compile(rule.path)
        roots = [str(s.absolute()) for s in trial.sources]

        def by_path(i: Instance) -> str:
            found = pattern.search(_below(i, roots))
            return (found.group(group) or "") if found else ""

        return by_path
    if rule.table is not None and rule.by is not None and rule.column is not None:
        table = _lookup_table(rule.table, rule.by, rule.column)
        if group == "session" and not all(re.fullmatch(r"[0-9A-Za-z]{1,16}", word) for word in table.values()):
            sentence = "a session label holds letters and digits only, 16 at most"
            raise UsageError(f"{rule.table}: column {rule.column}: {sentence}")
        keyword = rule.by
        return lambda i: table.get(cell(i, keyword), "")
    keyword = rule.tag or default
    return (lambda i: cell(i, keyword)) if keyword else (lambda i: "")


def cell(instance: Instance, keyword: str) -> str:
    """A header value as a table holds it: one line, single spaces."""
    value = getattr(instance, keyword)
    return bare(str(value if value is not None else ""))


def bare(text: str) -> str:
    """Text without the spaces that nobody means."""
    return " ".join(text.split())


def _below(instance: Instance, roots: list[str]) -> str:
    """The path of an object below its source, with the member's inside an archive after it."""
    full = instance.path
    root = max((r for r in roots if full == r or full.startswith(r.rstrip("/") + "/")), key=len, default="")
    return "/".join(part for part in (full[len(root) :].lstrip("/"), instance.member) if part)


def _lookup_table(path: Path, by: str, column: str) -> dict[str, str]:
    rows = read_table(path)
    for name in (by, column):
        if rows and name not in rows[0]:
            raise UsageError(f"{path}: has no column {name}; its columns are {', '.join(rows[0])}")
    table: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        key = bare(row[by])
        if table.setdefault(key, row[column]) != row[column]:
            raise UsageError(f"{path}: line {number}: {by} stands twice with different values of {column}")
    return table
