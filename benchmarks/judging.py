"""Verdicts on the cells of a record, and the figures made of them with their intervals."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RIGHT, WRONG, SILENT, WITHHELD, UNVERIFIABLE = "right", "wrong", "silent", "withheld", "unverifiable"
"""Right and wrong are definite answers. Silent: ``unknown`` although a reader can tell. Withheld: ``unknown``, and a
reader cannot tell either. Unverifiable: a definite answer that nobody can check; it counts nowhere."""

RESAMPLES, SEED = 1000, 20240229
FEWEST_STUDIES = 5
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Cell:
    """One attribute of one labelled stack: what is true, what was answered, and the verdict on it."""

    study: str
    key: str
    vendor: str
    attribute: str
    truth: str
    answer: str
    verdict: str
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A share with its 95 % interval, and of how many."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "–"
        return f"{100 * self.value:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"


def judge_cell(attribute: str, truth: str, answer: str) -> str:
    """The verdict on one cell, "" where it is not judged.

    ``a|b`` accepts either; an empty cell and ``*`` are not judged; ``-`` in ``derived`` is as acquired; where the truth
    is ``unknown`` alone, a definite ``sequence`` is wrong and any other definite answer cannot be verified.
    """
    accepted = [a.strip() for a in truth.split("|")]
    if not truth.strip() or "*" in accepted:
        return ""
    if attribute == "derived":
        said = set(answer.replace("-", "").split())
        return RIGHT if any(said == set(a.replace("-", "").split()) for a in accepted) else WRONG
    answer = answer or "unknown"
    if answer == "unknown":
        return WITHHELD if "unknown" in accepted else SILENT
    if answer in accepted:
        return RIGHT
    return UNVERIFIABLE if accepted == ["unknown"] and attribute != "sequence" else WRONG


def accuracy(cells: Iterable[Cell]) -> Figure:
    """Right among the definite answers."""
    return share(cells, lambda c: c.verdict == RIGHT, lambda c: c.verdict in (RIGHT, WRONG))


def answered(cells: Iterable[Cell]) -> Figure:
    """Definite answers among the cells that a reader can tell."""
    return share(cells, lambda c: c.verdict in (RIGHT, WRONG), can_be_told)


def right(cells: Iterable[Cell]) -> Figure:
    """Right among all cells that a reader can tell: an abstention counts against it."""
    return share(cells, lambda c: c.verdict == RIGHT, can_be_told)


def can_be_told(cell: Cell) -> bool:
    """Whether the truth of the cell is a definite value."""
    return cell.truth.strip() != "unknown" and cell.verdict in (RIGHT, WRONG, SILENT)


def share(cells: Iterable[Cell], hit: Callable[[Cell], bool], of: Callable[[Cell], bool]) -> Figure:
    """The share of hits, with an interval by bootstrap over studies, or Wilson's where there are too few of them."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cell in cells:
        if of(cell):
            sums[cell.study][0] += hit(cell)
            sums[cell.study][1] += 1
    counts = np.array(list(sums.values()), dtype=float).reshape(-1, 2)
    hits, n = counts.sum(axis=0) if len(counts) else (0.0, 0.0)
    if not n:
        return Figure(0.0, 0.0, 0.0, 0)
    alone = len(counts) == n
    if len(counts) < FEWEST_STUDIES or alone or hits in (0, n):
        return Figure(hits / n, *wilson(hits, n), int(n))
    return Figure(hits / n, *bootstrap(counts), int(n))


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's score interval, 95 % (JASA 1927;22:209)."""
    p, z2 = hits / n, Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(counts: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of a ratio of sums; rows are studies: (numerator, denominator)."""
    rng = np.random.default_rng(SEED)
    weights = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=RESAMPLES)
    sums = weights @ counts
    ratios = sums[:, 0] / np.maximum(sums[:, 1], 1e-9)
    low, high = np.percentile(ratios[sums[:, 1] > 0], [2.5, 97.5])
    return float(low), float(high)


def change(before: Sequence[Cell], after: Sequence[Sequence[Cell]], verdicts: Sequence[str]) -> Figure:
    """By how much the share of some verdicts changed, mean over runs of the same cells, bootstrap over studies.

    A right abstention (``withheld``) is right: a definite answer in its place would be wrong.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for cell in before:
        if cell.verdict != UNVERIFIABLE:
            sums[cell.study][0] -= cell.verdict in verdicts
            sums[cell.study][1] += 1
    for run in after:
        for cell in run:
            if cell.verdict != UNVERIFIABLE:
                sums[cell.study][0] += (cell.verdict in verdicts) / len(after)
    counts = np.array(list(sums.values())).reshape(-1, 2)
    n = counts[:, 1].sum()
    if not n:
        return Figure(0.0, 0.0, 0.0, 0)
    low, high = bootstrap(counts) if len(counts) >= FEWEST_STUDIES else (math.nan, math.nan)
    return Figure(float(counts[:, 0].sum() / n), low, high, int(n))


def confusion(cells: Iterable[Cell]) -> Counter[tuple[str, str]]:
    """How often each (true, answered) pair of ``sequence`` occurs; an accepted answer is its own truth."""
    return Counter(
        (c.answer if c.verdict == RIGHT else c.truth.split("|")[0], c.answer or "unknown")
        for c in cells
        if c.attribute == "sequence" and c.verdict != UNVERIFIABLE
    )


def macro_f1(pairs: Mapping[tuple[str, str], int]) -> tuple[float, int]:
    """F1 averaged over the classes that occur in the truth, and how many these are; an abstention is a miss."""
    classes = sorted({true for true, _ in pairs} - {"unknown"})
    scores = []
    for name in classes:
        hit = pairs.get((name, name), 0)
        said = sum(n for (_, answer), n in pairs.items() if answer == name)
        true = sum(n for (truth, _), n in pairs.items() if truth == name)
        scores.append(2 * hit / (said + true))
    return (float(np.mean(scores)) if scores else 0.0), len(classes)


def curve(cells: Iterable[Cell], thresholds: Sequence[float]) -> list[tuple[float, float, float, int]]:
    """(threshold, coverage, accuracy, wrong answers) of ``sequence`` if only answers at least as sure were given."""
    judged = [c for c in cells if c.attribute == "sequence" and c.verdict != UNVERIFIABLE]
    total = sum(can_be_told(c) for c in judged)
    points = []
    for threshold in thresholds:
        kept = [c for c in judged if c.verdict in (RIGHT, WRONG) and c.confidence >= threshold]
        hits = sum(c.verdict == RIGHT for c in kept)
        coverage = sum(can_be_told(c) for c in kept) / total if total else 0.0
        points.append((threshold, coverage, hits / len(kept) if kept else 1.0, len(kept) - hits))
    return points


def calibration_error(cells: Iterable[Cell], bins: int = 10) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error over bins of equal count, and the bins: (mean confidence, share right, n)."""
    told = sorted((c.confidence, c.verdict == RIGHT) for c in answers(cells))
    if not told:
        return 0.0, []
    parts = [p for p in np.array_split(np.array(told, dtype=float), bins) if len(p)]
    rows = [(float(p[:, 0].mean()), float(p[:, 1].mean()), len(p)) for p in parts]
    return sum(n * abs(said - seen) for said, seen, n in rows) / len(told), rows


def answers(cells: Iterable[Cell]) -> list[Cell]:
    """The definite answers to ``sequence``."""
    return [c for c in cells if c.attribute == "sequence" and c.verdict in (RIGHT, WRONG)]
