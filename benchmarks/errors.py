"""What goes wrong, row by row, on the halves that may be looked at: those whose name ends in ``test`` stay closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from damage import Runner, blank, good_by_attribute, of, removals
from judging import SILENT, WRONG, Cell, change
from perturb import EXEMPT

EXAMPLES = 6
MOST_POINTS = 0.02

Kind = tuple[str, str, str]


def is_open(runner: Runner) -> bool:
    """Whether the rows of a set may be looked at."""
    return "test" not in runner.labelled.name


def listing(labelled: Iterable[Runner], whole_headers: Iterable[Runner]) -> list[str]:
    """Lines: the kinds of error with examples, the same with all text blank, and the removals that cost most."""
    lines: list[str] = []
    for runner in filter(is_open, labelled):
        lines += [f"\n{runner.labelled.name}", *kinds_with_examples(runner, runner.clean)]
    for runner in filter(is_open, whole_headers):
        lines += [f"\n{runner.labelled.name}, all text blank, sequence"]
        lines += kinds_with_examples(runner, of("sequence", blank(runner)))
        lines += [f"\n{runner.labelled.name}, elements whose loss costs over 2 points", *costly(runner)]
    return lines


def kinds_with_examples(runner: Runner, cells: Iterable[Cell]) -> list[str]:
    """Each kind of error with its count and a few rows."""
    bad = [c for c in cells if c.verdict == WRONG or (c.verdict == SILENT and c.attribute == "sequence")]
    lines = []
    for kind, n in ordered(bad):
        lines.append(f"  {n:4} {kind[0]}: {kind[1]} -> {kind[2]}")
        for c in [c for c in bad if (c.attribute, c.truth, c.answer) == kind][:EXAMPLES]:
            lines.append(f"         {c.key} {runner.labelled.shown(c.key)} {c.confidence}")
    return lines


def ordered(cells: Sequence[Cell]) -> list[tuple[Kind, int]]:
    """Kinds of error, ``sequence`` first, then the most frequent first."""
    counts = Counter((c.attribute, c.truth, c.answer) for c in cells)
    return sorted(counts.items(), key=lambda item: (item[0][0] != "sequence", -item[1], item[0]))


def costly(runner: Runner) -> list[str]:
    """Elements and attributes with the points that the loss of the element costs."""
    before = good_by_attribute(runner.clean)
    judged = Counter(c.attribute for c in runner.clean)
    lines = []
    for element, cells in removals(runner):
        after = good_by_attribute(cells)
        for name, n in sorted(judged.items()):
            fallen = (before.get(name, 0) - after.get(name, 0)) / n
            if fallen > MOST_POINTS and name not in EXEMPT.get(element, ()):
                more = change(of(name, runner.clean), [of(name, cells)], (WRONG,)).value
                lines.append(f"  {element}: {name} {-100 * fallen:+.1f} right, {100 * more:+.1f} wrong, of {n}")
    return lines
