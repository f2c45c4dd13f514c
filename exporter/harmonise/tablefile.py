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

WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""By the marks with which they begin; the longer ones first, as one begins like a shorter."""

SAID = re.compile(r"sep=(.?)[ \t]*", re.IGNORECASE)
"""The line by which a spreadsheet program is told the separator, before the header."""

TOO_LONG = f"a cell is longer than {csv.field_size_limit():,} characters"

LINE_END = re.compile(r"\r\n|\r|\n")
"""What ends a line for a reader of CSV; ``str.splitlines`` knows more, which may stand in a cell."""


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
    """Read a CSV or TSV in UTF-8; the separator is told from the header line or a line ``sep=`` before it, blank lines
    are no rows.

    In a TSV a quote that is not at both ends of a cell is a letter.

    Raises ``UsageError`` naming file and line where it is no such table, a column stands twice or a row has more cells
    than the header.
    """
    data = _bytes(path)
    text = _text(path, data)
    separator, start = _separator(path, text)
    try:
        read = _tab_separated if separator == "\t" else _quoted
        records, quoted = read(text, separator, start)
    except _NotQuotedError as error:
        raise UsageError(f"{path}: {error}") from error
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
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], style: Style, *, inputs: Sequence[Path]
) -> None:
    """Write a table whole or not at all: tabs for ``.tsv``, commas or semicolons for ``.csv``, else as the source.

    Raises ``UsageError`` where the place cannot be written.
    """
    check_output(path, inputs)
    separator = style.separator
    if path.suffix.lower() in (".tsv", ".tab"):
        separator = "\t"
    elif path.suffix.lower() == ".csv" and separator == "\t":
        separator = ","
    lines = _Lines()
    writer = csv.writer(lines, delimiter=separator, lineterminator="\r\n")  # so that a lone \r or \n is quoted
    if separator == "\t" and not style.quoted:
        lines.extend("\t".join(map(_tab_cell, row)) for row in (columns, *rows))
    else:
        writer.writerow(columns)
        writer.writerows(rows)
    text = style.line_end.join([*lines, ""])
    try:
        write_atomic(path.resolve(), (BOM if style.bom else b"") + text.encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); give another place with -o") from error


def check_output(path: Path, inputs: Sequence[Path]) -> None:
    """Raise ``UsageError`` where a table cannot be written to, or would overwrite one of the ``inputs``: first the
    table, then the rules."""
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; give a file name with -o, such as {path / 'harmonised.csv'}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first, or give another place with -o")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is no regular file (a device or a pipe); give a new or a regular file with -o")
    for number, read in enumerate(inputs):
        if path.exists() and read.exists() and path.samefile(read):
            what = "a rule file" if number else "the table"
            raise UsageError(f"{path}: is {what} that is read; give another name with -o, the source is never changed")


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
    if wide := next((name for mark, name in WIDE.items() if data.startswith(mark)), ""):
        raise UsageError(f"{path}: is {wide} text; save it as CSV UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: this is not UTF-8 text; save it as CSV UTF-8") from error


def _separator(path: Path, text: str) -> tuple[str, int]:
    """The separator, and where the table begins: behind the line that says the separator, where there is one."""
    first = LINE_END.split(text[:100], maxsplit=1)[0]
    if said := SAID.fullmatch(first):
        separator = said[1] or "\t"
        if separator not in SEPARATORS:
            raise UsageError(f"{path}: line 1: {first} names no separator that is read; take comma, semicolon or tab")
        return separator, len(first)
    head = LINE_END.split(QUOTED.sub("", text[: 1 << 16]).lstrip("\r\n"), maxsplit=1)[0]
    separator = max(SEPARATORS, key=head.count)
    return (separator if separator in head else NO_SEPARATOR), 0


Records = list[tuple[int, list[str]]]
"""Line and cells of every record that is not blank."""


def _quoted(text: str, separator: str, start: int) -> tuple[Records, bool]:
    """The records as the csv module reads them; a line whose text lies before ``start`` is blank."""
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=separator, strict=True)
    records: Records = []
    line = 1
    try:
        for cells in reader:
            if cells:
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        here = LINE_END.split(text[start:])[reader.line_num - 1]
        if "field larger" in str(error) and len(here) > csv.field_size_limit():
            raise _NotQuotedError(f"line {reader.line_num}: {TOO_LONG}") from error
        raise _NotQuotedError(
            f"line {line}: the double quotes of a cell are not closed or not doubled within it"
        ) from error
    return records, True


def _tab_separated(text: str, separator: str, start: int) -> tuple[Records, bool]:
    """The records of a TSV, and whether quotes are no letters in it.

    Quotes may span tabs and line ends, or be letters of the cells between them. Where both can be, that is right which
    gives more rows as many cells as the header; letters, where both do.
    """
    try:
        quoted, _ = _quoted(text, separator, start)
    except _NotQuotedError:
        return _letters(text[start:]), False
    if '"' not in text:
        return quoted, True
    letters = _letters(text[start:])
    every = all(
        QUOTED.fullmatch(name) for name in text[start:].lstrip("\r\n").partition("\n")[0].rstrip("\r").split("\t")
    )
    if every or letters == quoted or _odd(letters) > _odd(quoted):
        return quoted, True  # whoever quotes every name quotes every cell
    return letters, False


def _letters(text: str) -> Records:
    """The records where every tab parts cells and every line end rows, whatever stands in quotes."""
    records: Records = []
    for line, row in enumerate(LINE_END.split(text), start=1):
        cells = [_unquoted(cell) for cell in row.split("\t")]
        if any(len(cell) > csv.field_size_limit() for cell in cells):
            raise _NotQuotedError(f"line {line}: {TOO_LONG}")
        if row:
            records.append((line, cells))
    return records


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if QUOTED.fullmatch(cell) else cell


def _tab_cell(cell: str) -> str:
    """A cell of a TSV whose quotes are letters: quoted only where it would else be taken for quoted."""
    return '"' + cell.replace('"', '""') + '"' if QUOTED.fullmatch(cell) else cell


def _odd(records: Records) -> int:
    """How many rows have not as many cells as the header."""
    return sum(len(cells) != len(records[0][1]) for _, cells in records)


def _check_header(path: Path, line: int, columns: Sequence[str]) -> None:
    names = [name.strip().lower() for name in columns]
    twice = next((c.strip() for c, name in zip(columns, names, strict=True) if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: line {line}: the column {twice} stands twice; rename or remove one")
