"""Tab-separated tables on disk, read and written whole."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from .errors import UsageError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Unicode's category Cc, and the separators of lines and paragraphs."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file by a temporary neighbour and one rename: a reader sees the old bytes or the new."""
    _write(path, data, 0o666)


def write_private(path: Path, data: bytes) -> None:
    """As :func:`write_atomic`, a file that only its owner may read, from its first byte on."""
    _write(path, data, 0o600)


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # what a killed run left may have another mode
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def tsv_bytes(columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, empty: str = "") -> bytes:
    """A table as bytes; control characters and line ends inside a cell become spaces, missing cells ``empty``."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(plain(row.get(c) or "") or empty for c in columns) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def plain(cell: str) -> str:
    """The cell as it stands in a table: without control characters, which no reader of tables expects."""
    return " ".join(CONTROL.sub(" ", cell).split()) if CONTROL.search(cell) else cell


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Rows of a table that :func:`tsv_bytes` wrote: no quoting, whatever a cell holds."""
    head, *lines = path.read_bytes().decode("utf-8").split("\n")
    columns = head.split("\t")
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines if line]


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV or TSV with a header, the separator (comma, semicolon, tab) told from the header line.

    Raises ``UsageError`` where it cannot be read, a column stands twice, a row has too many cells or a quote is not
    closed.
    """
    return [row for _, row in read_lines(path)]


def read_lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """As :func:`read_table`, every row with the line of the file where it begins: a cell may hold line ends."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this is not UTF-8 text; save it as CSV UTF-8") from error
    separator = max("\t;,", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        columns = _columns(path, next(reader, []))
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                rows.append((line, _row(path, line, columns, cells)))
            line = reader.line_num + 1
    except csv.Error as error:
        opened = _last_quote(text, separator, reader.line_num, is_open="larger" in str(error))
        why = "the quote that opens a cell here is not closed, or text follows it" if opened else "a cell is too long"
        raise UsageError(f"{path}: line {opened or reader.line_num}: this is no table: {why}") from error
    return rows


def _last_quote(text: str, separator: str, lines: int, *, is_open: bool) -> int:
    """The line, of the first so many, where the last quoted cell begins, or the one that does not end; 0 for none."""
    read = "".join(islice(io.StringIO(text), lines))
    cells = re.finditer(rf'(?:\A|(?<=[{separator}\n]))(?:"(?:[^"]|"")*("|\Z)|[^{separator}\n"]*)', read)
    found = [cell.start() for cell in cells if cell[1] == "" or (cell[1] and not is_open)]
    return read.count("\n", 0, found[-1]) + 1 if found else 0


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    columns = [name.strip() for name in header]
    if not any(columns):
        raise UsageError(f"{path}: is empty; the first line must name the columns")
    twice = next((name for name, count in Counter(columns).items() if name and count > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: the column {twice} stands twice; rename or remove one")
    return columns


def _row(path: Path, line: int, columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if len(cells) > len(columns):
        raise UsageError(f"{path}: line {line}: more cells than the header has columns")
    filled = [*cells, *[""] * (len(columns) - len(cells))]
    return {name: cell.strip() for name, cell in zip(columns, filled, strict=True)}


def json_bytes(value: Any) -> bytes:
    """JSON as the tree holds it: indented, UTF-8, a line end; half a surrogate pair stands as its escape."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
