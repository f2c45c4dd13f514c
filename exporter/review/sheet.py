"""An edited plan as a spreadsheet program leaves it: another separator, encoding or order, quotes, missing columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..harmonise.tablefile import SEPARATORS, WIDE, WORKBOOKS
from ..plan.row import plan_columns
from .values import editable

ENCODINGS = ("utf-8-sig", "cp1252")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row with the line of the file that it ends on; cells by the plan's column names."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The edited plan. ``columns`` are those of the plan that it has, ``others`` those that are a person's own."""

    path: Path
    columns: tuple[str, ...]
    others: tuple[str, ...]
    rows: tuple[SheetRow, ...]


def read_sheet(path: Path) -> Sheet:
    """Read an edited plan: CSV with comma, semicolon or tab, in UTF-8, UTF-16 or Windows' own code.

    Rows and columns may be missing or stand in any order. Raises ``UsageError`` where it is no table, has no
    ``stack_id`` or nothing that can be edited.
    """
    text = _text(path)
    first, _, rest = text.partition("\n")
    skipped = first.strip().casefold().startswith("sep=")
    head = rest.partition("\n")[0] if skipped else first
    separator = first.strip()[4:] or "\t" if skipped else max(SEPARATORS, key=head.count)
    if separator not in tuple(SEPARATORS):
        raise UsageError(f"{path}: line 1: {first.strip()[:40]!r} names no comma, semicolon or tab; delete that line")
    reader = csv.reader(io.StringIO(rest if skipped else text, newline=""), delimiter=separator, strict=True)
    try:
        names = _columns(path, next(reader, []))
        rows = tuple(_rows(path, names, reader, int(skipped)))
    except csv.Error as error:
        line = f"line {reader.line_num + skipped}"
        raise UsageError(f"{path}: {line}: this is no table: a quote is not closed, or a cell is too long") from error
    known = set(plan_columns())
    return Sheet(
        path,
        tuple(name for name in names if name in known),
        tuple(name for name in names if name and name not in known),
        rows,
    )


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the edited plan") from error
    if data.startswith(WORKBOOKS):
        raise UsageError(f"{path}: this is a workbook; save it as CSV UTF-8 and give that file")
    if data.startswith(tuple(WIDE)):
        encodings: Sequence[str] = ("utf-16",)
    else:
        encodings = ENCODINGS
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise UsageError(f"{path}: this is no text; save the sheet as CSV UTF-8 and give that file")


def _columns(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """The header in the plan's spelling. Raises ``UsageError`` where nothing could be read from such a table."""
    spelling = {name.casefold(): name for name in plan_columns()}
    names = tuple(spelling.get(name.strip().casefold(), name.strip()) for name in header)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: line 1: the column {twice} stands twice; rename or remove one")
    if "stack_id" not in names:
        raise UsageError(f"{path}: line 1: has no column stack_id, which says what a row is about; copy plan.tsv anew")
    if not set(names) & set(editable()):
        raise UsageError(f"{path}: line 1: has no column that can be edited; those are {', '.join(editable())}")
    return names


def _rows(path: Path, names: Sequence[str], reader: Iterator[list[str]], skipped: int) -> Iterator[SheetRow]:
    for cells in reader:
        line = reader.line_num + skipped  # pyright: ignore[reportAttributeAccessIssue]
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise UsageError(f"{path}: line {line}: more cells than the header has columns")
        filled = [*cells, *[""] * (len(names) - len(cells))]
        yield SheetRow(line, {name: cell.strip() for name, cell in zip(names, filled, strict=False) if name})
