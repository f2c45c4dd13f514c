"""The clinical tables: TSV files with typed columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..errors import ReadError

Value = str | int | float | None
Row = Mapping[str, Value]

NUMBERS = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")}
"""How a number is written in a table: stricter than Python, which also reads ``1_2`` and ``inf``."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by key (``participant_id``, or participant and session), and the columns in the order of the file."""

    rows: Mapping[tuple[str, ...], Row]
    columns: tuple[str, ...]


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a TSV file as text. A missing file has none. Raises :class:`ReadError` where it is no such table."""
    try:
        return parse_tsv(path, path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadError(f"{path}: the table cannot be read ({error.strerror}).") from error


def parse_tsv(path: str | Path, content: bytes) -> list[dict[str, str]]:
    """As :func:`read_tsv`, of bytes; ``path`` is for messages."""
    try:
        lines = io.StringIO(content.decode("utf-8-sig"), newline="")
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReadError(f"{path}: this is no table of text in UTF-8 with tabs ({error}).") from error


def typed_table(rows: Sequence[Mapping[str, str]], keys: tuple[str, ...]) -> Table:
    """Give every column one type: whole numbers, numbers, or text; ``n/a`` and empty cells are None.

    Codes with a leading zero, the key columns and ``site`` stay text.
    """
    columns = tuple(dict.fromkeys(name for row in rows for name in row if name))
    read = {name: str if name in (*keys, "site") else _reader(row.get(name, "") for row in rows) for name in columns}
    typed = {
        tuple(row[key] for key in keys): MappingProxyType(
            {name: None if _absent(cell := row.get(name, "")) else read[name](cell) for name in columns}
        )
        for row in rows
    }
    return Table(MappingProxyType(typed), columns)


def _absent(cell: str | None) -> bool:
    return cell is None or cell.strip() in ("", "n/a", "NaN", "nan")


def _reader(cells: Iterable[str]) -> type[int] | type[float] | type[str]:
    given = [cell.strip() for cell in cells if not _absent(cell)]
    if any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in given):
        return str
    for kind, pattern in NUMBERS.items():
        if all(pattern.fullmatch(cell) for cell in given):
            return kind
    return str
