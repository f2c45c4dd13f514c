"""The tables of the benchmark, one function a table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from damage import Runner, blank, of, removals, swaps, worst_removals
from judging import (
    WRONG,
    Cell,
    Figure,
    accuracy,
    answered,
    calibration_error,
    can_be_told,
    confusion,
    curve,
    macro_f1,
    right,
    share,
    wilson,
)
from labelled_sets import TableSet, named_row, read_rows
from real import RealData
from report import Table

from trialbids.exporter.harmonise.decide import Judge

THRESHOLDS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
SEEDS, QUICK_SEEDS = 5, 1
QUICK_ELEMENTS = ("ImageType", "EchoTime")
FEWEST_FOR_VENDOR = 5


def real_tables(real: RealData) -> list[Table]:
    """Stacks, acquisitions, decisions and attributes on the real data, planned folder by folder and all at once."""
    plans = {"folder by folder": real.by_folder, "all at once": real.at_once}
    scores = {name: real.score(plan) for name, plan in plans.items()}
    rows = [
        (
            "stack counts as expected",
            *(of_n(s["stack_counts"]["agree"], s["stack_counts"]["n"]) for s in scores.values()),
        ),
        ("acquisitions whole", *(of_n(s["acquisitions"]["whole"], s["acquisitions"]["n"]) for s in scores.values())),
        ("acquisitions pure", *(of_n(s["acquisitions"]["pure"], s["acquisitions"]["n"]) for s in scores.values())),
        ("decisions", *(decisions(s) for s in scores.values())),
    ]
    cells = {name: real.cells(plan) for name, plan in plans.items()}
    for attribute in real.scoring.ATTRS:
        own = [of(attribute, c) for c in cells.values()]
        if accuracy(own[0]).n:
            rows.append((f"{attribute}: right among answered", *(with_n(accuracy(c)) for c in own)))
            rows.append((f"{attribute}: answered", *(str(answered(c)) for c in own)))
    return [Table("Real DICOM, expected_series.csv", ("figure, %", *plans), tuple(rows))]


def decisions(score: dict) -> str:
    """Decisions among the accepted ones."""
    hits = sum(n for pair, n in score["decision"].items() if pair.split(" -> ")[1] in pair.split(" -> ")[0].split("|"))
    return of_n(hits, sum(score["decision"].values()))


def of_n(hits: int, n: int) -> str:
    """A share with Wilson's interval and its counts."""
    return f"{Figure(hits / n, *wilson(hits, n), n)}, {hits} of {n}" if n else "–"


def with_n(figure: Figure) -> str:
    """A figure and of how many."""
    return f"{figure}, n={figure.n}"


def names_table(files: Sequence[Path], judge: Judge, most: int | None) -> Table:
    """Descriptions without labels: nothing crashes, and how many are answered."""
    rows = []
    for path in files:
        given = read_rows(path)
        given = given[:: max(1, len(given) // most)] if most else given
        table = TableSet(path.stem, [named_row(row) for row in given])
        said = [a.record.sequence != "unknown" for a in table.answer(list(table.rows), {}, judge)]
        weights = [int(float(row["n"])) for row in given]
        of_series = sum(n for n, yes in zip(weights, said, strict=True) if yes)
        rows.append((path.stem, of_n(sum(said), len(said)), of_n(of_series, sum(weights))))
    return Table(
        "Real series descriptions, text alone: answered",
        ("list", "of the rows, %", "of the series, %"),
        tuple(rows),
        "No accuracy is quoted from the silver list: its labels were made from the same text by rules.",
    )


def labelled_table(runners: Iterable[Runner]) -> Table:
    """Accuracy and coverage of every attribute on the labelled tables."""
    rows = []
    for runner in runners:
        for attribute in attributes(runner.clean):
            cells = of(attribute, runner.clean)
            rows.append(
                (runner.labelled.name, attribute, with_n(accuracy(cells)), str(answered(cells)), str(right(cells)))
            )
    return Table(
        "Labelled tables",
        ("set", "attribute", "right among answered, %", "answered, %", "right of all, %"),
        tuple(rows),
    )


def attributes(cells: Iterable[Cell]) -> list[str]:
    """The judged attributes, ``sequence`` first."""
    return sorted({c.attribute for c in cells}, key=lambda name: (name != "sequence", name))


def damage_tables(runners: Sequence[Runner], *, quick: bool) -> list[Table]:
    """What swapped text, no text, and each element gone cost."""
    seeds = QUICK_SEEDS if quick else SEEDS
    rows: list[tuple[str, ...]] = []
    gone: list[tuple[str, ...]] = []
    for runner in runners:
        name = runner.labelled.name
        rows += [(name, x.damage, points(x.right), points(x.wrong)) for x in swaps(runner, seeds)]
        cells = of("sequence", blank(runner))
        bad = share(cells, lambda c: c.verdict == WRONG, can_be_told)
        rows.append((name, "all text blank: right, wrong in %", with_n(right(cells)), str(bad)))
        runs = removals(runner, QUICK_ELEMENTS if quick else ())
        gone += [(name, x.attribute, x.damage, points(x.right), points(x.wrong)) for x in worst_removals(runner, runs)]
    return [
        Table(
            "Damaged text, sequence: points against the clean run",
            ("set", "damage", "right", "wrong"),
            tuple(rows),
            f"Swapped: mean over {seeds} seeds.",
        ),
        Table(
            "One element removed from all headers: the worst one for each attribute, in points",
            ("set", "attribute", "damage", "right", "wrong"),
            tuple(gone),
            "The elements that define an attribute are exempt for it (EXEMPT in benchmarks/perturb.py).",
        ),
    ]


def points(figure: Figure) -> str:
    """A change in points, with its sign."""
    if math.isnan(figure.low):
        return f"{100 * figure.value:+.1f} (too few studies)"
    return f"{100 * figure.value:+.1f} ({100 * figure.low:+.1f} to {100 * figure.high:+.1f})"


def vendor_table(runners: Iterable[Runner]) -> Table:
    """Accuracy and macro-F1 of ``sequence`` by vendor."""
    rows = []
    for runner in runners:
        by_vendor: dict[str, list[Cell]] = defaultdict(list)
        for cell in of("sequence", runner.clean):
            by_vendor[cell.vendor].append(cell)
        by_vendor["all"] = of("sequence", runner.clean)
        for vendor, cells in sorted(by_vendor.items()):
            if len(cells) >= FEWEST_FOR_VENDOR:
                f1, classes = macro_f1(confusion(cells))
                rows.append((runner.labelled.name, vendor, with_n(right(cells)), f"{f1:.3f}", str(classes)))
    return Table("Sequence by vendor", ("set", "vendor", "right of all, %", "macro-F1", "classes"), tuple(rows))


def confusion_table(runner: Runner) -> Table:
    """What was taken for what, without the diagonal."""
    pairs = confusion(runner.clean)
    true_total: dict[str, int] = defaultdict(int)
    for (true, _), n in pairs.items():
        true_total[true] += n
    rows = []
    for true in sorted(true_total):
        others = sorted(((n, said) for (t, said), n in pairs.items() if t == true != said), reverse=True)
        taken = ", ".join(f"{said} {n}" for n, said in others) or "–"
        rows.append((true, str(true_total[true]), str(pairs.get((true, true), 0)), taken))
    return Table(f"Confusion, {runner.labelled.name}", ("true", "n", "right", "answered instead"), tuple(rows))


def confidence_tables(runners: Sequence[Runner]) -> list[Table]:
    """Coverage and accuracy by threshold, and the reliability of the confidence."""
    rows = []
    bins: list[tuple[str, ...]] = []
    for runner in runners:
        for threshold, coverage, hit, wrong in curve(runner.clean, THRESHOLDS):
            rows.append(
                (runner.labelled.name, f"{threshold:.2f}", f"{100 * coverage:.1f}", f"{100 * hit:.1f}", str(wrong))
            )
        error, parts = calibration_error(runner.clean)
        bins.append(
            (
                runner.labelled.name,
                f"{100 * error:.1f}",
                " ".join(f"{100 * said:.0f}→{100 * seen:.0f}" for said, seen, _ in parts),
            )
        )
    return [
        Table(
            "Coverage and accuracy of sequence by threshold on the confidence",
            ("set", "least confidence", "answered, %", "right among answered, %", "wrong answers"),
            tuple(rows),
        ),
        Table(
            "Expected calibration error of sequence",
            ("set", "error, points", "said→right in %, ten parts of equal size"),
            tuple(bins),
        ),
    ]


def curve_points(cells: Sequence[Cell]) -> list[tuple[float, float]]:
    """(coverage, accuracy) at every tenth of a point of confidence that changes anything."""
    steps = sorted({round(c.confidence, 2) for c in cells if c.attribute == "sequence" and c.confidence} | {0.0})
    return sorted((coverage, hit) for _, coverage, hit, _ in curve(cells, steps) if coverage > 0)
