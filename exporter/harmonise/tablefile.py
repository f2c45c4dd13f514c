"""A table as a person keeps it: read with every cell as it stands, written back with columns added."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..tables import write_atomic

SEPARATORS = "\t;,"
NO_SEPARATOR = "\x1f"
"""For a table of one column: no cell holds it, so a comma in a description stays in its cell."""

QUOTED = re.compile(r'"(?:[^"]|"")*"')
BOM = b"\xef\xbb\xbf"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How the files of spreadsheet programs begin."""

WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Style:
    """How a table is written: separator, whether cells may be quoted, byte order mark, line end."""

    separator: str = ","
    quoted: bool = True
    bom: bool = False
    line_end: str = "\n"


@dataclass(frozen=True, slots=True)
class ListingFile:
    """A table with a header. ``lines`` holds the line of the file on which each row begins, ``short`` those with cells
    missing at their end (taken as empty)."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    short: tuple[int, ...]
    style: Style


def read_listing(path: Path) -> ListingFile:
    """Read a CSV or TSV in UTF-8; the separator is told from the header line, blank lines are no rows.

    Raises ``UsageError`` naming file and line where it is no such table, a column stands twice or a row has more cells
    than the header.
    """
    data = _bytes(path)
    text = _text(path, data)
    head = QUOTED.sub("", text[: 1 << 16]).lstrip("\r\n").splitlines()
    separator = max(SEPARATORS, key=head[0].count) if head else ","
    separator = separator if head and separator in head[0] else NO_SEPARATOR
    try:
        records, quoted = _records(text, separator, True), True
    except _NotQuotedError as error:
        if separator != "\t":
            raise UsageError(f"{path}: {error}") from error
        records, quoted = _records(text, separator, False), False  # tab-separated files often hold bare quotes
    if not records:
        raise UsageError(f"{path}: is empty; the first line must name the columns, such as SeriesDescription")
    (line, columns), *body = records
    _check_header(path, line, columns)
    short: list[int] = []
    rows: list[tuple[str, ...]] = []
    for line, cells in body:
        missing = len(columns) - len(cells)
        if missing < 0 and any(cells[len(columns) :]):
            raise UsageError(
                f"{path}: line {line}: {len(cells)} cells, but the header names {len(columns)} columns; a cell that "
                f"holds the separator must stand in double quotes"
            )
        if missing > 0:
            short.append(line)
        rows.append((*cells[: len(columns)], *[""] * missing))
    style = Style(
        separator="," if separator == NO_SEPARATOR else separator,
        quoted=quoted,
        bom=data.startswith(BOM),
        line_end="\r\n" if "\r\n" in text else "\n",
    )
    return ListingFile(path, tuple(columns), tuple(rows), tuple(n for n, _ in body), tuple(short), style)


def write_listing(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], style: Style, *, source: Path
) -> None:
    """Write a table whole or not at all: tabs for ``.tsv``, commas or semicolons for ``.csv``, else as the source.

    Raises ``UsageError`` where the place cannot be written.
    """
    check_output(path, source)
    separator = style.separator
    if path.suffix.lower() in (".tsv", ".tab"):
        separator = "\t"
    elif path.suffix.lower() == ".csv" and separator == "\t":
        separator = ","
    lines = _Lines()
    writer = csv.writer(lines, delimiter=separator, lineterminator="\r\n")  # so that a lone \r or \n is quoted
    if separator == "\t" and not style.quoted:
        lines.extend("\t".join(row) for row in (columns, *rows))
    else:
        writer.writerow(columns)
        writer.writerows(rows)
    text = style.line_end.join([*lines, ""])
    try:
        write_atomic(path, (BOM if style.bom else b"") + text.encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); give another place with -o") from error


def check_output(path: Path, source: Path) -> None:
    """Raise ``UsageError`` where a table cannot be written to, or would overwrite its source."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give a file name with -o, such as {path / 'harmonised.csv'}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first, or give another place with -o")
    if path.exists() and source.exists() and path.samefile(source):
        raise UsageError(f"{path}: is the table that is read; give another name with -o, the source is never changed")


class _Lines(list[str]):
    """Takes what a csv writer writes, a row at a time, without its line end."""

    def write(self, text: str) -> None:
        self.append(text.removesuffix("\r\n"))


class _NotQuotedError(ValueError):
    """Quotes stand where no quoted cell begins or ends."""


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give a CSV or TSV file with --table")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a CSV or TSV file with --table") from error


def _text(path: Path, data: bytes) -> str:
    if data.startswith(WORKBOOKS):
        raise UsageError(f"{path}: is a workbook or an archive, no text; save the sheet as CSV UTF-8")
    if data.startswith(WIDE):
        raise UsageError(f"{path}: is UTF-16 text; save it as CSV UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: this is not UTF-8 text; save it as CSV UTF-8") from error


def _records(text: str, separator: str, quoted: bool) -> list[tuple[int, list[str]]]:
    """Line and cells of every record that is not blank."""
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, quoting=quoting)
    records: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if cells:
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise _NotQuotedError(
            f"line {line}: the double quotes of a cell are not closed or not doubled within it, or a cell is longer "
            f"than {csv.field_size_limit():,} characters"
        ) from error
    return records


def _check_header(path: Path, line: int, columns: Sequence[str]) -> None:
    names = [name.strip().lower() for name in columns]
    twice = next((c.strip() for c, name in zip(columns, names, strict=True) if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: line {line}: the column {twice} stands twice; rename or remove one")
