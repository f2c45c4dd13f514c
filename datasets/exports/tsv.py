"""A cohort as a spreadsheet: one row a sample, with its part in every fold."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import listed, write_whole
from .parts import parts_of
from .written import Written, new_place

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and runs it."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?( [+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)*|-inf", re.IGNORECASE)

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split


def write(cohort: Cohort, splits: Sequence[Split] | None, out: Path, *, fold: int | None = None) -> Written:
    """Write a TSV with the entries of every sample, paths relative to the root of the tree.

    Lists are joined by a space, what is missing is ``n/a``, and a target is what the tables of the tree say. A text
    that a spreadsheet would take for a formula has an apostrophe before it, and a note says so.
    The columns of the folds (``fold1`` …) hold ``train``, ``val`` or ``test``.
    """
    target = new_place(out, cohort.root)
    parts = parts_of(cohort, splits, fold)
    given = {name: cohort.column(name) for name in cohort.targets}
    rows: list[dict[str, str]] = []
    for number, sample in enumerate(cohort):
        told = {name: given[name][number] if name in given else value for name, value in sample.items()}
        told |= {key: [path.removeprefix(f"{cohort.root}/") for path in listed(sample, key)] for key in cohort.keys}
        told |= {name: words[sample["sample_id"]] for name, words in zip(parts.names, parts.folds, strict=True)}
        rows.append({name: _cell(value) for name, value in told.items()})
    held = sorted({name for row in rows for name, cell in row.items() if _inert(cell) != cell})
    write_whole(target, _text(rows).encode())
    notes = (f"Texts that begin like a formula have an apostrophe before them, in: {', '.join(held)}.",) if held else ()
    return Written(out, len(rows), 1, notes)


def _inert(cell: str) -> str:
    """A cell that no spreadsheet runs; numbers stay as they are."""
    return f"'{cell}" if cell.startswith(FORMULA_SIGNS) and not _NUMBER.fullmatch(cell) else cell


def _text(rows: Sequence[Mapping[str, str]]) -> str:
    rows = [{_inert(name): _inert(cell) for name, cell in row.items()} for row in rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter="\t", restval="n/a", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_cell(each) for each in value) or "n/a"
    if value is None or value == "" or value != value:
        return "n/a"
    return f"{value:g}" if isinstance(value, float) else str(value)
