"""A clinical table read whole, column by column: CSV and TSV, workbooks, Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..tables import read_lines
from .celltext import cell_text
from .workbook import read_page

if TYPE_CHECKING:
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
PARQUET = frozenset({".parquet", ".pq"})
TYPED = WORKBOOKS | PARQUET
"""Files whose cells are numbers and days, and not only text that looks so."""

MOST_NAMED = 40
"""So many columns are named where one is not there."""
MOST_CELLS = 50_000_000
"""Of a Parquet file, which names its cells before it is unpacked."""

MOST_TEXT, MOST_ROWS_AT_ONCE = 500_000_000, 10_000
"""Bytes of all its texts together, and rows that are unpacked before they are counted."""

MOST_REMARKS = 3


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: every column's cells as text, all of one length, and the line of the file each row stands in.

    ``remarks`` are sentences on what of the file could not be read as a table. Cells are private.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: Sequence[int]
    remarks: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> list[str]:
        return self.columns[name]

    def need(self, names: Iterable[str]) -> None:
        """Raises ``UsageError`` naming the first of these columns that the table lacks."""
        for name in names:
            if name not in self.columns:
                known = ", ".join(list(self.columns)[:MOST_NAMED])
                more = f" and {len(self.columns) - MOST_NAMED} more" if len(self.columns) > MOST_NAMED else ""
                hint = f"; {'; '.join(self.remarks[:MOST_REMARKS])}" if self.remarks else ""
                raise UsageError(f"{self.path}: has no column {name}; its columns are {known}{more}{hint}")


def read_sheet(path: Path, sheet: str | None = None) -> Sheet:
    """Read a table by the ending of its name; ``sheet`` names one of a workbook, whose first is read without it.

    Raises ``UsageError`` where the file is not what its ending says, a sheet is not there, or a column stands twice.
    """
    ending = path.suffix.casefold()
    if ending in WORKBOOKS:
        return _workbook(path, sheet)
    if sheet is not None:
        raise UsageError(f"{path}: is no workbook, so it has no sheet {sheet}; remove sheet, or give the workbook")
    if ending in PARQUET:
        return _parquet(path)
    numbered = read_lines(path)
    rows = [row for _, row in numbered]
    columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    unnamed = columns.pop("", None)
    remarks = ("a column has no name in the header, nothing of it is read",) if unnamed and any(unnamed) else ()
    return Sheet(path, columns, [line for line, _ in numbered], remarks)


def _workbook(path: Path, name: str | None) -> Sheet:
    page = read_page(path, name)
    if not page.rows:
        raise UsageError(f"{path}: sheet {page.name} is empty; the first row must name the columns")
    top, header = page.rows[0]
    is_merged = {at for (row, first), (_, last) in page.merged if row == top - 1 for at in range(first + 1, last + 1)}
    return _tabled(path, header, page.rows[1:], is_merged)


def _tabled(path: Path, header: Sequence[str], rows: Sequence[tuple[int, list[str]]], merged: set[int]) -> Sheet:
    """Rows below a header as columns. Columns without a name are told, not guessed."""
    columns: dict[str, list[str]] = {}
    remarks = []
    for at, name in enumerate(header):
        cells = [row[at] for _, row in rows]
        if name in columns:
            raise UsageError(f"{path}: the column {name} stands twice; rename or remove one")
        if name:
            columns[name] = cells
        elif any(cells):
            why = "its header is part of a merged cell" if at in merged else "its header cell is empty"
            remarks.append(f"column {_letters(at)} has no name ({why}), nothing of it is read")
    return Sheet(path, columns, [line for line, _ in rows], tuple(remarks))


def _letters(at: int) -> str:
    """A column as a spreadsheet calls it.

    >>> _letters(0), _letters(27)
    ('A', 'AB')
    """
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)


def _bounded(path: Path, file: ParquetFile) -> Table:
    """The rows, read group by group; a few bytes can stand for a long text in every row, so their sum is bounded."""
    from pyarrow import Table, types

    batches, size = [], 0
    for batch in file.iter_batches(batch_size=MOST_ROWS_AT_ONCE):
        for column in batch.columns:
            plain = column.dictionary_decode() if types.is_dictionary(column.type) else column
            size += plain.nbytes
        if size > MOST_TEXT:
            raise UsageError(f"{path}: holds more than {MOST_TEXT:,} bytes of text; save the columns that are needed")
        batches.append(batch)
    return Table.from_batches(batches, file.schema_arrow)


def _parquet(path: Path) -> Sheet:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows * file.metadata.num_columns > MOST_CELLS:
            raise UsageError(f"{path}: holds more than {MOST_CELLS:,} cells; save the columns that are needed")
        table = _bounded(path, file)
        names: list[str] = table.column_names
        columns = {name.strip(): list(map(cell_text, table[at].to_pylist())) for at, name in enumerate(names)}
    except (ArrowException, OSError, ValueError, OverflowError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet; it is damaged, or something else") from error
    if len(columns) < len(names):
        twice = next(name for name, count in Counter(name.strip() for name in names).items() if count > 1)
        raise UsageError(f"{path}: the column {twice} stands twice; rename or remove one")
    columns.pop("", None)
    return Sheet(path, columns, range(1, table.num_rows + 1))
