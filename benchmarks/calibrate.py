"""Fit the confidence in ``sequence`` and write ``mappings/calibration.yaml``.

    python benchmarks/calibrate.py [--dry] [--on dev]

Fitted on the halves of the labelled tables that the rules were not written on (``test``): on the others the rules are
right more often than they will be on anything new. Tables with full headers are used as they are and with damaged
headers (text swapped between series, all text blank, each element removed in turn), so that mistakes occur as they do
in trials. For each kind of support the share right is made to rise with the lead (isotonic regression by pooling
neighbours that fall), and drawn towards the share right of all by a few imagined answers, so that no curve says never
or always. What is printed is judged across: each half of the studies by curves fitted on the other half. The same
labels and the same rules give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from damage import Runner, elements, removal
from harmonise import ROOT, labelled_tables
from judging import RIGHT, SILENT, UNVERIFIABLE, WITHHELD, judge_cell
from labelled_sets import TRUTH, Answer, TableSet
from perturb import TEXT, swapped, without

from trialbids.exporter.harmonise.decide import LEAST_MARGIN, Judge
from trialbids.mappings.calibration import SUPPORTS, Calibration, Curve, grounds_of
from trialbids.mappings.rules import load_rules

WRONG_COSTS = 2.0
"""A wrong answer does as much harm as this many right ones do good: below c / (1 + c) saying nothing is better."""

SEEDS = 5
MIX = {"clean": 0.6, "swapped": 0.3, "blank": 0.05, "removed": 0.05}
"""How much each kind of copy of a table with full headers weighs; swapped copies have 40 % of their text swapped, so
about one text in ten is wrong in the mix."""
SWAPPED_PORTION = 0.4
FOLDS = 2
IMAGINED = 4.0
SUREST = 0.99
"""The sets are too small, and their truth too uncertain, to say more."""
HEAD = """\
# How often a winning `sequence` is right, by its lead in score and by who spoke for it.
# Written by benchmarks/calibrate.py on halves of the labelled sets that no rule was written on; see docs/accuracy.md.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer before any threshold: who spoke and by what lead, whether it is right, and how much it weighs.

    ``can_be_told`` is false where the truth is unknown: any answer is wrong there, and none is missed.
    """

    support: str
    lead: float
    right: bool
    can_be_told: bool
    weight: float
    fold: int


def main() -> None:
    """Fit, report, write."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--dry", action="store_true", help="report only, write nothing")
    options.add_argument("--on", choices=("dev", "test"), default="test", help="which halves are fitted on")
    args = options.parse_args()
    data = Path(os.environ.get("TRIALBIDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    judging = Judge(load_rules())
    tables = [t for t in labelled_tables(data) if t.name.endswith(args.on)]
    by_table = {t.name: list(samples(t, judging)) for t in tables}
    everyone = [s for some in by_table.values() for s in some]
    found = fitted(everyone)
    across = [fitted([s for s in everyone if s.fold != fold]) for fold in range(FOLDS)]
    describe("all", everyone, across)
    for name, some in by_table.items():
        describe(f"{name}, with damaged copies" if has_copies(some) else name, some, across)
    if not args.dry:
        (ROOT / "mappings" / "calibration.yaml").write_text(as_yaml(found), encoding="utf-8")


def fitted(some: Sequence[Sample]) -> Calibration:
    """The curves and the threshold that samples come to."""
    curves = {name: fit([s for s in some if s.support == name], some) for name in SUPPORTS}
    return Calibration(curves, round(WRONG_COSTS / (1.0 + WRONG_COSTS), 2))


def fold_of(study: str) -> int:
    """Which part of the studies one belongs to, when they are judged across."""
    return hashlib.sha256(study.encode()).digest()[0] % FOLDS


def samples(table: TableSet, judging: Judge) -> list[Sample]:
    """The answers on a table, and on damaged copies of it where it has full headers."""
    runner = Runner(table, judging)
    clean = [a for answers in runner.answers.values() for a in answers]
    if not table.has_headers:
        return list(sampled(table, clean, 1.0))
    copies = {
        "clean": [clean],
        "swapped": [whole(runner, swapped(table.texts, SWAPPED_PORTION, 100 + seed)) for seed in range(SEEDS)],
        "blank": [whole(runner, dict.fromkeys(table.texts, without(*TEXT)))],
        "removed": [whole(runner, removal(table, element)) for element in elements(table)],
    }
    return [
        sample
        for kind, runs in copies.items()
        for answers in runs
        for sample in sampled(table, answers, MIX[kind] / len(runs))
    ]


def whole(runner: Runner, changes: dict) -> list[Answer]:
    """All answers, those of the studies that a change touches made again."""
    merged = runner.answers | runner.damaged_answers(changes)
    return [a for answers in merged.values() for a in answers]


def sampled(table: TableSet, answers: Iterable[Answer], weight: float) -> Iterable[Sample]:
    """The answers on whose ``sequence`` a judgement is possible."""
    for answer in answers:
        truth = table.rows[answer.key].get(TRUTH + "sequence", "")
        said = grounds_of(answer.decisions[0].fired if answer.decisions else ())
        verdict = judge_cell("sequence", truth, said.value)
        if verdict and verdict != UNVERIFIABLE:
            told = truth != "unknown" and verdict != WITHHELD
            silent = verdict in (SILENT, WITHHELD) or said.lead < LEAST_MARGIN
            support = "" if silent else said.support
            fold = fold_of(table.study[answer.key])
            yield Sample(support, said.lead, verdict == RIGHT, told, weight, fold)


@dataclass(frozen=True, slots=True)
class Pool:
    """Neighbouring leads that share one probability: the lowest, the highest, and the weight of hits and of all."""

    low: float
    high: float
    hits: float
    n: float

    def with_next(self, other: Pool) -> Pool:
        """This pool and the next above it as one."""
        return Pool(self.low, other.high, self.hits + other.hits, self.n + other.n)

    def stands_below(self, other: Pool) -> bool:
        """Whether it is large enough to stand alone and the next is right more often."""
        return self.n >= IMAGINED and self.hits / self.n < other.hits / other.n


def fit(own: Sequence[Sample], everyone: Sequence[Sample]) -> Curve:
    """The curve of one kind of support: level within a pool, a straight line over the gap to the next."""
    pools: list[Pool] = []
    for lead in sorted({round(s.lead, 2) for s in own}):
        here = [s for s in own if round(s.lead, 2) == lead]
        pools.append(Pool(lead, lead, sum(s.weight * s.right for s in here), sum(s.weight for s in here)))
        while len(pools) > 1 and not pools[-2].stands_below(pools[-1]):
            pools[-2:] = [pools[-2].with_next(pools[-1])]
    base = weighted_right([s for s in everyone if s.support])
    if not pools:
        return Curve((0.0,), (round(base, 3),))
    level = (sum(p.hits for p in pools) + IMAGINED * base) / (sum(p.n for p in pools) + IMAGINED)
    knots: dict[float, float] = {}
    highest = 0.0
    for pool in pools:
        share = (pool.hits + IMAGINED * level) / (pool.n + IMAGINED)
        highest = max(highest, min(round(share, 3), SUREST))
        knots |= {pool.low: highest, pool.high: highest}
    return Curve(tuple(knots), tuple(knots.values()))


def sureness(sample: Sample, by: Calibration) -> float:
    """The confidence in one sample, 0 where nothing was said."""
    return by.curves[sample.support](sample.lead) if sample.support else 0.0


def describe(name: str, some: Sequence[Sample], across: Sequence[Calibration]) -> None:
    """Print the operating point and the reliability, each sample by the calibration of the other fold."""
    told = [s for s in some if s.support]
    sure = {id(s): sureness(s, across[s.fold]) for s in told}
    given = [s for s in told if sure[id(s)] >= across[s.fold].least]
    knowable = sum(s.weight for s in some if s.can_be_told)
    coverage = sum(s.weight for s in given if s.can_be_told) / knowable
    print(f"{name}: answered {100 * coverage:.1f} %, right {100 * weighted_right(given):.1f} %", end="; ")
    print(f"without a threshold right {100 * weighted_right(told):.1f} %; said→right", end="")
    ordered = sorted(told, key=lambda s: sure[id(s)])
    for part in np.array_split(np.arange(len(ordered)), 8):
        rows = [ordered[k] for k in part]
        said = np.average([sure[id(s)] for s in rows], weights=[s.weight for s in rows])
        print(f" {100 * said:.0f}→{100 * weighted_right(rows):.0f}", end="")
    print()


def weighted_right(some: Sequence[Sample]) -> float:
    """Share right by weight."""
    return float(np.average([s.right for s in some], weights=[s.weight for s in some])) if some else 1.0


def has_copies(some: Sequence[Sample]) -> bool:
    """Whether damaged copies are among the samples."""
    return any(s.weight < 1.0 for s in some)


def as_yaml(found: Calibration) -> str:
    """The calibration as its file."""
    lines = [HEAD + "version: 1", f"least: {found.least:.2f}"]
    lines.append("curves:")
    for name, curve in found.curves.items():
        leads, right = (", ".join(f"{x:g}" for x in values) for values in (curve.leads, curve.right))
        lines.append(f"  {name}: {{leads: [{leads}], right: [{right}]}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
