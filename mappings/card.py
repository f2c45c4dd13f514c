"""The lines and tables of a data card (``curation/DATACARD.md``): one template, which writes them and reads them back.

Whoever writes a card can say nothing that the template has no line for; whoever inspects one meets each blank with
its kind, and every line that is none of the template's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .text import read_yaml

CARD_FILE = "curation/DATACARD.md"
SOURCES = (
    *("dataset_description.json", "CHANGES", "participants.tsv", "code/trialbids.json"),
    *("curation/manifest.parquet", "curation/qc.parquet", "curation/issues.tsv", "curation/flow.json"),
    *("curation/summary.json", "curation/inspection.json", "curation/certificate.json"),
)
"""The files of which the state of a tree is told; together they change with everything that a card says."""

ABSENT = "-"
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "count": r"\d{1,3}(?:,\d{3}){0,4}|<\d{1,2}|>=?\d{1,3}(?:,\d{3}){0,4}|-",
        "number": r"-?\d{1,6}(?:\.\d{1,2})?|-",
        "percent": r"(?:\d{1,3}(?:\.\d)?|<1) %",
        "share": r"(?:(?:>=)?\d{1,3}|<1) %|-",
        "size": r"\d{1,4}(?:\.\d)? (?:B|kB|MB|GB|TB)",
        "voxel": r"\d{1,3}\.\d\d × \d{1,3}\.\d\d × \d{1,3}\.\d\d|-",
        "version": r"[vV]?\d[0-9A-Za-z.+-]{0,31}",
        "day": r"\d{4}-\d\d-\d\d",
        "state": r"[0-9a-f]{16}",
        "check": r"[A-Z]\d\d",
        "severity": "error|warning|info",
        "verdict": "pass|warn|waived|none",
        "form": "mask|probseg|dseg|boxes|points|-",
        "values": "whole numbers|numbers|words",
    }
)
"""The form of each kind that is known without the tree; any other is a text of one line, which the tree must hold."""

_FREE = r"[^\n]+?"
_BLANK = re.compile(r"\{(\w+):(\w+)\}")
_RULE = re.compile(r"\| :?-+:?(?: \| :?-+:?)* \|")
_NUMERIC = frozenset(("count", "number", "percent", "share", "size", "voxel"))


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands in one blank or cell of a card: the number of its line, its kind and its text."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line with blanks."""

    template: str
    kinds: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, template: str) -> Line:
        """Read a template; its blanks are numbered in its pattern."""
        parts = _BLANK.split(template)
        kinds = tuple(parts[2::3])
        pattern = re.escape(parts[0])
        for kind, fixed in zip(kinds, parts[3::3], strict=True):
            pattern += f"({KINDS.get(kind, _FREE)}){re.escape(fixed)}"
        return cls(template, kinds, re.compile(pattern))

    def fill(self, **values: object) -> str:
        """The line with its blanks filled."""
        return _BLANK.sub(lambda blank: one_line(values[blank[1]]), self.template)


@dataclass(frozen=True, slots=True)
class Form:
    """A table: the kind of each column by its title, and of further columns the kinds of title and cell."""

    columns: Mapping[str, str]
    others: tuple[str, str] | None = None

    def write(self, rows: Sequence[Sequence[object]], titles: Sequence[str] = ()) -> list[str]:
        """The lines of a table in Markdown, its columns padded; ``titles`` are those of the further columns."""
        kinds = [*self.columns.values(), *(self.others[1] for _ in titles if self.others)]
        cells = [[*self.columns, *titles], *([_escaped(one_line(cell)) for cell in row] for row in rows)]
        widths = [max(3, *(len(row[n]) for row in cells)) for n in range(len(kinds))]
        rule = [f"{'-' * (w - 1)}:" if kind in _NUMERIC else "-" * w for w, kind in zip(widths, kinds, strict=True)]
        lines = [cells[0], rule, *cells[1:]]
        return [
            "| "
            + " | ".join(
                cell.rjust(w) if kind in _NUMERIC else cell.ljust(w)
                for cell, w, kind in zip(line, widths, kinds, strict=True)
            )
            + " |"
            for line in lines
        ]


@dataclass(frozen=True, slots=True)
class Template:
    """The lines and tables of a card by their names."""

    lines: Mapping[str, Line]
    tables: Mapping[str, Form]

    def line(self, name: str, /, **values: object) -> str:
        """A line with its blanks filled."""
        return self.lines[name].fill(**values)

    def table(self, name: str, rows: Sequence[Sequence[object]], titles: Sequence[str] = ()) -> list[str]:
        """The lines of a table."""
        return self.tables[name].write(rows, titles)

    def read(self, text: str) -> Iterator[Piece | tuple[int, str]]:
        """Every blank and cell of a card; number and text of each line that the template does not have."""
        kinds: Sequence[str] | None = None
        for number, line in enumerate(text.split("\n"), start=1):
            if line.startswith("|"):
                cells = _cells(line)
                if kinds is None:
                    kinds, titles = self._head(number, cells)
                    yield from titles if kinds else [(number, line)]
                elif not _RULE.fullmatch(line):
                    yield from _judged(number, line, cells, kinds)
            else:
                kinds = None
                yield from self._line(number, line)

    def _line(self, number: int, line: str) -> Iterator[Piece | tuple[int, str]]:
        if not line:
            return
        for known in sorted(self.lines.values(), key=lambda line: len(line.kinds) > 0):  # the closed ones first
            if found := known.pattern.fullmatch(line):
                yield from (Piece(number, kind, text) for kind, text in zip(known.kinds, found.groups(), strict=True))
                return
        yield number, line

    def _head(self, number: int, cells: Sequence[str]) -> tuple[Sequence[str], list[Piece]]:
        """The kinds of the columns of a table by its titles, and the titles that are not the template's own."""
        for form in self.tables.values():
            own = list(form.columns)
            if list(cells[: len(own)]) != own or (len(cells) > len(own) and form.others is None):
                continue
            more = cells[len(own) :]
            head, below = form.others or ("", "")
            return [*form.columns.values(), *(below for _ in more)], [Piece(number, head, title) for title in more]
        return (), []


def _judged(number: int, line: str, cells: Sequence[str], kinds: Sequence[str]) -> Iterator[Piece | tuple[int, str]]:
    if len(cells) != len(kinds):
        yield number, line
        return
    for cell, kind in zip(cells, kinds, strict=True):
        if kind in KINDS and not re.fullmatch(KINDS[kind], cell):
            yield number, cell
        else:
            yield Piece(number, kind, cell)


def _cells(line: str) -> list[str]:
    inner = line.removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def one_line(value: object) -> str:
    """A value as it stands in a card: one line without blanks at its ends."""
    return " ".join(str(value).split())


def tree_state(root: Path) -> str:
    """The state of a released tree in sixteen hexadecimal digits: another where anything changed that a card tells."""
    tables = (*root.glob("phenotype/*.tsv"), *root.glob("sub-*/sub-*_sessions.tsv"))
    digest = hashlib.sha256()
    for name in (*SOURCES, *sorted(path.relative_to(root).as_posix() for path in tables)):
        path = root / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def state_in(text: str) -> str:
    """The state of which a card speaks, "" where it tells none."""
    pattern = card_template().lines["state"].pattern
    found = next((match for line in text.split("\n") if (match := pattern.fullmatch(line))), None)
    return found[1] if found else ""


@cache
def card_template() -> Template:
    """The template of ``card.yaml``."""
    content: Mapping[str, Any] = read_yaml("card.yaml")
    return Template(
        lines={name: Line.of(text) for name, text in content["lines"].items()},
        tables={
            name: Form(form["columns"], tuple(form["others"]) if "others" in form else None)
            for name, form in content["tables"].items()
        },
    )
