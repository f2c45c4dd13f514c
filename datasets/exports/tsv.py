"""A cohort as a spreadsheet: one row a sample, with its part in every fold."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import listed, write_whole
from .parts import parts_of
from .written import Written, new_place

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split


def write(cohort: Cohort, splits: Sequence[Split] | None, out: Path, *, fold: int | None = None) -> Written:
    """Write a TSV with the entries of every sample, paths relative to the root of the tree.

    Lists are joined by a space, what is missing is ``n/a``, and a target is what the tables of the tree say.
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
    write_whole(target, _text(rows).encode())
    return Written(out, len(rows), 1)


def _text(rows: Sequence[Mapping[str, str]]) -> str:
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
