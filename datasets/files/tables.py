"""The clinical tables: TSV files with typed columns."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import ReadError
from .regular import read_regular

Value = str | int | float | None
Row = Mapping[str, Value]

NUMBERS = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")}
"""How a number is written in a table: stricter than Python, which also reads ``1_2`` and ``inf``."""


ABSENT = "n/a"
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SPREADSHEET = ";,"
"""What spreadsheets write between cells instead of tabs."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by key (``participant_id``, or participant and session), and the columns in the order of the file."""

    rows: Mapping[tuple[str, ...], Row]
    columns: tuple[str, ...]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a TSV file as text. A missing file has none. Raises :class:`ReadError` where it is no such table."""
    try:
        return parse_tsv(path, read_regular(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadError(f"{path}: the table cannot be read ({error.strerror}).") from error


def parse_tsv(
    path: str | Path, content: bytes, key: str = "", remark: Callable[[str], None] | None = None
) -> list[dict[str, str]]:
    """As :func:`read_tsv`, of bytes; ``path`` is for messages.

    In a table of BIDS a quote is a character as any other. A cell that a row lacks is empty, one too many is left out.
    With ``key``, a column that must be there, also what a spreadsheet writes is read: UTF-16, and semicolons or commas
    instead of tabs where only they give that column. Where two columns have one name, their cells that differ are
    absent, which ``remark`` is told; without it, and of ``key``, that is a :class:`ReadError`.
    """
    try:
        text = content.decode("utf-16" if content.startswith(_WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path}: this is no table of text in UTF-8 with tabs ({error}).") from error
    if not text.strip("\r\n"):
        return []
    columns, body = _cells(path, text, key)
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if key in twice or (twice and remark is None):
        raise ReadError(f"{path}: the column {twice[0]!r} stands there twice; keep one of them.")
    filled = (_filled(cells, len(columns)) for cells in body)
    if not twice or remark is None:
        return [dict(zip(columns, cells, strict=False)) for cells in filled]
    remark(f"several columns have one name ({', '.join(map(repr, twice))}); where their cells differ none is taken")
    return [_agreed(columns, cells) for cells in filled]


def _cells(path: str | Path, text: str, key: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the cells of every row with any."""
    first, *lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    columns = first.split("\t") if first else []
    if not key or key in columns:
        return columns, [line.split("\t") for line in lines if line]
    for delimiter in _SPREADSHEET:
        try:
            header, *rows = csv.reader([first, *lines], delimiter=delimiter, strict=True)
        except csv.Error:
            continue
        if key not in header:
            continue
        if wide := [row for row in rows if len(row) > len(header)]:  # a decimal comma, which would shift the cells
            words = delimiter.join(wide[0])[:80]
            raise ReadError(f"{path}: a row has more cells than its first line has columns: {words!r}.")
        return header, [row for row in rows if row]
    raise ReadError(f"{path}: its first line has no column {key!r} between tabs: {first[:80]!r}.")


def _filled(row: list[str], columns: int) -> list[str]:
    """A row with an empty cell for each that it lacks."""
    return row if len(row) >= columns else row + [""] * (columns - len(row))


def _agreed(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """A row of which several columns may have one name."""
    row: dict[str, str] = {}
    for name, cell in zip(columns, cells, strict=False):
        row[name] = cell if row.get(name, cell) == cell else ABSENT
    return row


def united(rows: Iterable[Mapping[str, str]], key: str, remark: Callable[[str], None]) -> list[dict[str, str]]:
    """One row for each value of ``key``, in the order of the first; what is not clear is absent, and remarked.

    Of several rows with one key, cells that differ are absent. A row without a key is left out.
    """
    kept: dict[str, dict[str, str]] = {}
    unclear: dict[str, dict[str, None]] = {}
    for row in rows:
        name = row.get(key, "")
        if absent(name):
            remark(f"a row has no {key} and is left out: {' '.join(row.values())[:80]!r}")
        elif name not in kept:
            kept[name] = dict(row)
        else:
            differing = [column for column, cell in row.items() if kept[name].get(column, "") != cell]
            kept[name] |= dict.fromkeys(differing, ABSENT)
            unclear.setdefault(name, {}).update(dict.fromkeys(differing))
    for name, columns in unclear.items():
        words = f"; what differs is not taken: {', '.join(columns)}" if columns else ", which say the same"
        remark(f"there are several rows for {name}{words}")
    return list(kept.values())


def typed_table(rows: Sequence[Mapping[str, str]], keys: tuple[str, ...]) -> Table:
    """Give every column one type: whole numbers, numbers, or text; ``n/a`` and empty cells are None.

    Codes with a leading zero, the key columns and ``site`` stay text, and so does a column with a number too large for
    a computer's numbers (64 bit): it would be another one, or infinite.
    """
    columns = tuple(dict.fromkeys(name for row in rows for name in row if name))
    read = {name: str if name in (*keys, "site") else _reader(row.get(name, "") for row in rows) for name in columns}
    typed = {
        tuple(row[key] for key in keys): MappingProxyType(
            {name: None if absent(cell := row.get(name, "")) else read[name](cell) for name in columns}
        )
        for row in rows
    }
    return Table(MappingProxyType(typed), columns)


def absent(cell: str | None) -> bool:
    """Whether a cell says nothing."""
    return cell is None or cell.strip() in ("", "n/a", "NaN", "nan")


def _reader(cells: Iterable[str]) -> type[int] | type[float] | type[str]:
    given = [cell.strip() for cell in cells if not absent(cell)]
    if any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in given):
        return str
    for kind, pattern in NUMBERS.items():
        if all(pattern.fullmatch(cell) for cell in given):
            return kind if all(map(_fits, given)) else str
    return str


def _fits(number: str) -> bool:
    """Whether a written number is one of 64 bits."""
    return abs(float(number)) < 2**63 if NUMBERS[int].fullmatch(number) else math.isfinite(float(number))
