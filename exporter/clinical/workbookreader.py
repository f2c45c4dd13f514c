"""What :mod:`.workbook` starts as a process of its own: ``python -m … FILE names`` or ``FILE page [SHEET]``.

It writes one JSON object: what was asked for, or ``fault``, a sentence. Where a file takes more memory or time than a
table may, the process ends without one.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .celltext import cell_text

MOST_BYTES = 4 * 2**30
MOST_SECONDS = 120
MOST_CELLS = 5_000_000
MOST_TEXT = 2**28
"""Characters of all cells together."""


def main(arguments: list[str]) -> None:
    """Answer one question on standard output."""
    path, what, *name = arguments
    _bound()
    try:
        said = _names(Path(path)) if what == "names" else _page(Path(path), name[0] if name else None)
    except _Fault as fault:
        said = {"fault": str(fault)}
    sys.stdout.write(json.dumps(said))


class _Fault(Exception):
    """Why there is no answer, as a sentence."""


def _bound() -> None:
    for kind, most in (
        (resource.RLIMIT_AS, MOST_BYTES),
        (resource.RLIMIT_CPU, MOST_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, highest = resource.getrlimit(kind)
        most = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(kind, (most, highest))


def _names(path: Path) -> dict[str, Any]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(path) as book:
            return {"names": book.sheet_names}
    except (OSError, CalamineError, ValueError) as error:
        raise _unreadable(path, error) from error


def _page(path: Path, name: str | None) -> dict[str, Any]:
    from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound

    names: list[str] = []
    try:
        with CalamineWorkbook.from_path(path) as book:
            names = book.sheet_names
            sheet = book.get_sheet_by_name(name) if name is not None else book.get_sheet_by_index(0)
            if sheet.total_height * sheet.total_width > MOST_CELLS:
                raise _Fault(
                    f"sheet {sheet.name} reaches over more than {MOST_CELLS:,} cells; delete what lies far right of "
                    "and below the table, or save it as CSV"
                )
            merged = sheet.merged_cell_ranges or []
            rows = list(_filled(sheet.to_python(skip_empty_area=False)))
    except WorksheetNotFound as error:
        raise _Fault(f"has no sheet {name}; its sheets are {', '.join(names)}") from error
    except (OSError, CalamineError, ValueError, IndexError) as error:
        raise _unreadable(path, error) from error
    return {"name": sheet.name, "rows": rows, "merged": merged}


def _filled(rows: list[list[Any]]) -> Iterator[tuple[int, list[str]]]:
    size = 0
    for line, row in enumerate(rows, start=1):
        cells = [cell_text(cell) for cell in row]
        size += sum(map(len, cells))
        if size > MOST_TEXT:
            raise _Fault("holds more text than a table may; save what is needed as CSV")
        if any(cells):
            yield line, cells


def _unreadable(path: Path, error: Exception) -> _Fault:
    if isinstance(error, OSError):
        return _Fault(f"cannot be read ({error.strerror or 'the file is damaged'})")
    kind = path.suffix.casefold().lstrip(".")
    return _Fault(f"cannot be read as a workbook; save it again as {kind} without a password")


if __name__ == "__main__":
    main(sys.argv[1:])
