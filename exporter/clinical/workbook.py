"""A sheet of a workbook, read by a process of its own.

The library that reads workbooks lays a sheet out as one block from its first to its last cell. A file of 5 kB can have
its last cell so far out that no memory holds the block, and the process ends on the spot: nothing that is caught. Each
of the five forms (XLSX, XLSM, XLSB, XLS, ODS) has other ways to say so, besides archives and texts that grow when they
are unpacked, so no look beforehand is sure. What ends is therefore a child with little memory, see
:mod:`.workbookreader`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

READER = "trialbids.exporter.clinical.workbookreader"
LONGEST_S = 600


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet: its rows that are not empty as text, each with its number from 1.

    ``merged`` lists the merged cells, each ((row, column), (row, column)) of the first and the last one, from 0.
    """

    name: str
    rows: Sequence[tuple[int, list[str]]]
    merged: Sequence[tuple[tuple[int, int], tuple[int, int]]]


def read_page(path: Path, name: str | None) -> Page:
    """The sheet of that name, or the first.

    Raises ``UsageError`` where it cannot be read, is not there or is too large.
    """
    said = _asked(path, "page", *([] if name is None else [name]))
    return Page(
        said["name"],
        [(line, cells) for line, cells in said["rows"]],
        [((first[0], first[1]), (last[0], last[1])) for first, last in said["merged"]],
    )


def sheet_names(path: Path) -> list[str]:
    """The names of a workbook's sheets, in their order. Raises ``UsageError`` where it cannot be read."""
    return _asked(path, "names")["names"]


def _asked(path: Path, *question: str) -> dict[str, Any]:
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise UsageError(f"{path}: is no file")
    command = [sys.executable, "-P", "-m", READER, str(path), *question]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=False, encoding="utf-8"
        )
    except (OSError, ValueError) as error:  # ValueError: no path can be so, such as one with a null character
        raise UsageError(f"{path}: cannot be read as a workbook (no process can be started for it)") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{path}: reading it took longer than {LONGEST_S} s; save the table as CSV") from error
    if done.returncode:
        raise UsageError(
            f"{path}: takes more memory or time than a table may; delete what lies far right of and below the table, "
            "or save it as CSV"
        )
    said = json.loads(done.stdout)
    if "fault" in said:
        raise UsageError(f"{path}: {said['fault']}")
    return said
