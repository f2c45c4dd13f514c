"""How many faults the checks find, and how often they cry wolf: fault injection, with exact 95 % intervals.

    python benchmarks/qc.py [--short] [--check CODE]... [--missed] [--markdown] [--json out.json] [--keep FOLDER]

Clean scans of eight makers are made, and one fault into each of hundreds of sessions; the program is run on them as a
user would run it, and its open issues are read. Beside it stand what a look for gaps in InstanceNumber and what bare
dcm2niix say of the same folders. ``--short`` makes a handful of cases per check and ends with 1 where a floor is not
reached. The folder is thrown away unless ``--keep`` names one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from qc.baselines import clean_run, dcm2niix_of, found_by, recipe
from qc.cases import CLEAN_ROUNDS, WANTED, Written, all_cases, write_case
from qc.program import run_program
from qc.scores import Alarms, Outcome, Row, alarms, outcomes, rows
from report import Table, as_markdown, as_text

SHORT = {"error": 6, "warning": 4}
HEAD = ("check", "sev", "n", "sensitivity % (95 %)", "mild", "moderate", "gross", "false alarms % (95 %)", "n clean",
        "InstanceNumber gap %", "dcm2niix %")  # fmt: skip


def main() -> int:
    """Make, run, compare, print."""
    asked = _arguments()
    root = asked.keep or Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        done, told = measure(asked, root)
    finally:
        if asked.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    figures = rows(done, told)
    table = as_table(figures)
    print(as_markdown(table) if asked.markdown else as_text(table))
    if asked.missed:
        print("\n".join(missed(done)))
    if asked.json:
        asked.json.write_text(json.dumps(as_json(figures), indent=1), encoding="utf-8")
    return int(asked.short and not all(row.good for row in figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a handful of cases per check")
    parser.add_argument("--check", action="append", default=[], metavar="CODE", help="this check alone; repeatable")
    parser.add_argument("--missed", action="store_true", help="list the cases that were not found")
    parser.add_argument("--markdown", action="store_true", help="the table for the docs")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--keep", type=Path, help="make the trials in this folder and leave them there")
    parser.add_argument("--no-dcm2niix", action="store_true", help="leave the second baseline out")
    return parser.parse_args()


def measure(asked: argparse.Namespace, root: Path) -> tuple[list[Outcome], list[Alarms]]:
    """All trials: the outcomes of the faulty cases, and the alarms on clean sessions."""
    cases = all_cases(SHORT if asked.short else WANTED, 1 if asked.short else CLEAN_ROUNDS, asked.check)
    done: list[Outcome] = []
    told: list[Alarms] = []
    with ProcessPoolExecutor() as pool:
        written = list(pool.map(partial(write_case, root=root), cases, chunksize=8))
        converted = {} if asked.no_dcm2niix else baseline(pool, written, root)
    for trial in sorted({case.trial for case in cases}):
        own = [w for w in written if w.case.trial == trial]
        judged = run_program(root / trial, own, trial)
        print(
            f"{trial}: {len(own)} sessions, {sum(w.files for w in own)} files, {judged.seconds:.0f} s", file=sys.stderr
        )
        done += outcomes(own, judged, converted)
        told.append(alarms(trial, own, judged))
    return done, told


def baseline(pool: ProcessPoolExecutor, written: Sequence[Written], root: Path) -> dict[str, bool]:
    """Whether dcm2niix says of a faulty case what it does not say of its clean original."""
    faulty = [w.case for w in written if w.case.what]
    originals = sorted({recipe(case) for case in faulty}, key=str)
    clean = dict(zip(originals, pool.map(clean_run, originals), strict=True))
    folders = [root / case.trial / "dicom" / case.id for case in faulty]
    runs = pool.map(dcm2niix_of, folders, chunksize=8)
    return {case.id: found_by(run, clean[recipe(case)]) for case, run in zip(faulty, runs, strict=True)}


def as_table(figures: Sequence[Row]) -> Table:
    """One row a check."""
    body = tuple(
        (
            row.check,
            row.severity[0].upper(),
            str(row.sensitivity.n or "–"),
            str(row.sensitivity),
            *(f"{100 * s.value:.0f}" if s.n else "–" for s in row.by_strength.values()),
            str(row.false_alarms),
            str(row.false_alarms.n),
            f"{100 * row.gap.value:.0f}" if row.gap.n else "–",
            f"{100 * row.dcm2niix.value:.0f}" if row.dcm2niix.n else "–",
        )
        for row in figures
    )
    return Table("Faults found, and false alarms", HEAD, body)


def as_json(figures: Sequence[Row]) -> list[dict[str, object]]:
    """All figures, by maker too."""
    return [
        {
            "check": row.check,
            "severity": row.severity,
            **{
                name: {"hits": share.hits, "n": share.n, "low": share.low, "high": share.high}
                for name, share in (
                    ("sensitivity", row.sensitivity),
                    ("false_alarms", row.false_alarms),
                    ("instance_number_gap", row.gap),
                    ("dcm2niix", row.dcm2niix),
                )
            },
            "by_strength": {name: [share.hits, share.n] for name, share in row.by_strength.items()},
            "by_vendor": {name: [share.hits, share.n] for name, share in row.by_vendor.items()},
        }
        for row in figures
    ]


def missed(done: Sequence[Outcome]) -> list[str]:
    """One line a case that was not found, with what was said of it instead."""
    return [
        f"{case.id} {fault.name} | {case.strength} {case.vendor} {case.kind}{' packed' if case.packed else ''}"
        f" | said: {' '.join(outcome.codes) or 'nothing'}"
        for outcome in done
        if not outcome.found and (case := outcome.case) and (fault := case.what)
    ]


if __name__ == "__main__":
    sys.exit(main())
