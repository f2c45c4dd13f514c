"""A table as it comes back from a spreadsheet."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path

from ..errors import ReadError, SplitError
from ..files.regular import read_regular

DELIMITERS = "\t;,"


def read_sheet(path: Path, key: str) -> list[dict[str, str]]:
    """The rows of a TSV, as text without blanks around it; rows without any cell are left out.

    What spreadsheets do to a table is undone: a byte order mark, UTF-16 (Excel's "Unicode text"), CRLF, and
    semicolons or commas instead of tabs, told from the first line, which must have the column ``key``. Raises
    :class:`SplitError` where it cannot be read or lacks that column.
    """
    try:
        data = read_regular(path)
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise SplitError(f"{path}: cannot be read ({error.strerror}).") from error
    except ReadError as error:
        raise SplitError(str(error)) from error
    except UnicodeDecodeError as error:
        raise SplitError(
            f"{path}: is not UTF-8 text ({error.reason}); save it from the spreadsheet as UTF-8."
        ) from error
    lines = text.splitlines()
    for delimiter in DELIMITERS:
        header = [cell.strip() for cell in next(csv.reader(lines[:1], delimiter=delimiter), [])]
        if key in header:
            return _rows(path, header, list(csv.reader(lines[1:], delimiter=delimiter)))
    first = lines[0] if lines else ""
    raise SplitError(f"{path}: its first line has no column {key!r}: {first[:80]!r}.")


def _rows(path: Path, header: list[str], body: list[list[str]]) -> list[dict[str, str]]:
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise SplitError(f"{path}: the column {twice[0]!r} is there twice; keep one of them.")
    rows: list[dict[str, str]] = []
    for cells in body:
        cells = [cell.strip() for cell in cells]
        if any(cells):
            padded = cells + [""] * (len(header) - len(cells))
            rows.append({name: cell for name, cell in zip(header, padded, strict=False) if name})
    return rows
