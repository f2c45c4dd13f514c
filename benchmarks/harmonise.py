"""How right the harmonised records are: on real files, on real names, on hand-made tables, and on damaged headers.

    python benchmarks/harmonise.py [--quick] [--labelled TABLE.csv]... [--json out.json] [--write docs/accuracy.md]

The real data are looked for in ``TRIALBIDS_TEST_DATA`` (default ``../shared/data``), the scoring in ``tools`` beside
that folder; what is not there is left out and named. A labelled table has DICOM keywords as columns, truth in columns
``truth_<attribute>`` (``a|b`` = either, empty = not judged, ``unknown`` = cannot be told), and may have ``study``.
Intervals are 95 %: bootstrap over studies with a fixed seed, Wilson's where there are no studies.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import errors
import sections
from damage import Runner
from labelled_sets import NAMES_FILE, TableSet, judged_names, of_split, read_rows
from real import RealData, find_real
from report import Table, as_markdown, as_text, curve_svg, write_block

from trialbids.exporter.harmonise.decide import Judge
from trialbids.mappings.rules import load_rules

ROOT = Path(__file__).resolve().parents[1]
LABELLED = ROOT / "benchmarks" / "labelled"
SILVER_FILE = "dev_prostate_silver.csv"
CURVE = "accuracy-curve.svg"
QUICK_NAMES = 500


@dataclass(frozen=True)
class Sets:
    """Everything that is measured. ``real`` is None and ``names`` is empty where the data are not there."""

    real: RealData | None
    names: tuple[Path, ...]
    tables: tuple[TableSet, ...]
    judge: Judge

    @cached_property
    def labelled(self) -> list[Runner]:
        """The labelled tables."""
        return [Runner(table, self.judge) for table in self.tables]

    @cached_property
    def whole_headers(self) -> list[Runner]:
        """The sets with full headers, MR alone: those whose headers are worth damaging."""
        tables = [Runner(t.of_modality("MR"), self.judge) for t in self.tables if t.has_headers]
        return [*self.real_mr, *tables]

    @cached_property
    def real_mr(self) -> list[Runner]:
        """The real MR, if it is there."""
        return [self.real.runner] if self.real else []


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--labelled", type=Path, action="append", default=[], help="a further labelled table")
    options.add_argument("--json", type=Path, help="write all tables there as well")
    options.add_argument("--write", type=Path, help="replace the figures of this Markdown page, and its curve")
    options.add_argument("--quick", action="store_true", help="fewer seeds, fewer elements, fewer names")
    options.add_argument("--errors", action="store_true", help="list the wrong answers of the dev halves instead")
    args = options.parse_args()
    start = time.monotonic()
    sets = find_sets(args.labelled)
    if args.errors:
        print("\n".join(errors.listing(sets.labelled, sets.whole_headers)))
        return
    found = measure(sets, quick=args.quick)
    for table in found:
        print(as_text(table))
    print(f"\n{time.monotonic() - start:.0f} s")
    if args.json:
        args.json.write_text(json.dumps([dataclasses.asdict(t) for t in found], indent=1), encoding="utf-8")
    if args.write:
        write_block(args.write, "\n".join(as_markdown(t) for t in found))
        chosen = [*sets.real_mr, *(r for r in sets.labelled if r.labelled.name.endswith("test"))]
        curves = [(r.labelled.name, sections.curve_points(r.clean)) for r in chosen]
        (args.write.parent / CURVE).write_text(curve_svg(curves, lowest=0.8), encoding="utf-8")


def find_sets(more: Iterable[Path] = ()) -> Sets:
    """The sets of the repository, the real data where they are, and the tables named on the command line."""
    data = Path(os.environ.get("TRIALBIDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    judge = Judge(load_rules())
    real = find_real(data, judge)
    if real is None:
        print(f"left out: {data} has no expected_series.csv and dicom/, or there is no tools/score_series.py beside it")
    names = tuple(p for name in (NAMES_FILE, SILVER_FILE) if (p := data / "names" / name).is_file())
    return Sets(real, names, labelled_tables(data, more), judge)


def labelled_tables(data: Path, more: Iterable[Path] = ()) -> tuple[TableSet, ...]:
    """The labelled tables of the repository, in halves, and those named on the command line."""
    given = {name: read_rows(LABELLED / f"{name}.csv") for name in ("headers", "descriptions")}
    names = data / "names" / NAMES_FILE
    if names.is_file():
        given["real names"] = judged_names(LABELLED / "judged.csv", names)
    halves = [TableSet(f"{name}, {s}", of_split(rows, s)) for name, rows in given.items() for s in ("dev", "test")]
    return (*halves, *(TableSet(path.stem, read_rows(path)) for path in more))


def measure(sets: Sets, *, quick: bool) -> list[Table]:
    """All tables of the report."""
    everyone = [*sets.real_mr, *sets.labelled]
    return [
        *(sections.real_tables(sets.real) if sets.real else []),
        *([sections.names_table(sets.names, sets.judge, QUICK_NAMES if quick else None)] if sets.names else []),
        sections.labelled_table(sets.labelled),
        *sections.damage_tables(sets.whole_headers, quick=quick),
        sections.vendor_table(everyone),
        *(sections.confusion_table(r) for r in everyone if not r.labelled.name.endswith("test")),
        *sections.confidence_tables(everyone),
    ]


if __name__ == "__main__":
    main()
