"""One cycle: the issues of a run go into the ledger of the work folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ...errors import UsageError
from .cycles import (
    CYCLES_FILE,
    Cycle,
    cycle_line,
    cycle_of,
    read_cycles,
    read_standings,
    standings,
    write_cycles,
    write_standings,
)
from .issue import Issue
from .merge import Run, merged
from .row import ISSUES_FILE, OPEN, RESOLVED, SEVERITIES, STATES, WAIVED, Row, is_known, read_issues, write_issues
from .table import RESCUE
from .waivers import read_waivers, strange_waivers


@dataclass(frozen=True, slots=True)
class Recorded:
    """A cycle and the issues as they stand after it; ``remarks`` are sentences about issues of checks that
    are not known and about lines of ``waivers.tsv``."""

    cycle: Cycle
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


def check_ledger(work: Path) -> None:
    """Look whether the ledger can be read, before long work whose end needs it.

    Raises ``UsageError`` with file, line and what was expected.
    """
    check_whole(work, read_issues(work).values(), read_cycles(work))
    read_waivers(work)
    read_standings(work)


def record_cycle(work: Path, issues: Iterable[Issue], run: Run) -> Recorded:
    """Merge what a run found with what is known, and count it as a cycle. The caller holds the work folder.

    Writes ``issues.tsv``, ``cycles-by-check.tsv`` and last ``cycles.tsv``: a run that is killed between them is counted
    by the next one, under the same number. Raises ``UsageError`` where a table is damaged; then nothing is written.
    """
    old, cycles, places = read_issues(work), read_cycles(work), read_standings(work)
    check_whole(work, old.values(), cycles)
    number = coming_cycle(cycles, old.values())
    rows = merged(old, issues, run, read_waivers(work), number)
    cycle = cycle_of(number, run, rows.values())
    earlier = [s for s in places if s.cycle < number]
    write_issues(work, rows.values())
    write_standings(work, [*earlier, *standings(number, rows.values())])
    write_cycles(work, [*(c for c in cycles if c.number < number), cycle])
    return Recorded(cycle, tuple(rows.values()), (*_retired(work, rows.values()), *strange_waivers(work, rows)))


def _retired(work: Path, rows: Iterable[Row]) -> tuple[str, ...]:
    """A sentence about issues of checks that this version does not have."""
    counts = Counter(row.check for row in rows if not is_known(row.check))
    if not counts:
        return ()
    codes = ", ".join(sorted(counts))
    said = f"{counts.total()} issues are of checks that this version does not have ({codes})"
    return (f"{work / ISSUES_FILE}: {said}; they stay as they are",)


def check_whole(work: Path, rows: Collection[Row], cycles: Sequence[Cycle]) -> None:
    """Refuse issues and cycles that do not fit each other: a line was lost, or a cell changed by hand.

    No issue is ever taken out of its table, so that each cycle counts as many as the one before or more, and the last
    one all that were found until then. Raises ``UsageError``.
    """
    path, newest = work / ISSUES_FILE, max((max(row.cycle_last, row.cycle_changed) for row in rows), default=0)
    if not cycles:
        if newest > 1:
            said = f"{work / CYCLES_FILE}: holds no cycle, where {ISSUES_FILE} names {newest}"
            raise UsageError(f"{said}; {RESCUE}, or take {ISSUES_FILE} away too to begin anew")
        return
    last = cycles[-1]
    counted = [sum(cycle.total(state) for state in STATES) for cycle in cycles]
    fewer = next((n for n, (a, b) in enumerate(pairwise(counted), start=1) if b < a), None)
    if fewer is not None:
        said = f"{work / CYCLES_FILE}: line {cycle_line(work, cycles[fewer])}: cycle {cycles[fewer].number} counts"
        raise UsageError(f"{said} {counted[fewer]} issues; expected {counted[fewer - 1]} or more, as before; {RESCUE}")
    if len(rows) < counted[-1]:
        said = f"{path}: holds {len(rows)} issues, where cycle {last.number} counted {counted[-1]}"
        raise UsageError(f"{said}; {RESCUE}, or take {CYCLES_FILE} away too to begin anew")
    ahead = next((row for row in rows if max(row.cycle_last, row.cycle_changed) > last.number + 1), None)
    if ahead is not None:
        said = f"{path}: {ahead.issue_id}: names cycle {max(ahead.cycle_last, ahead.cycle_changed)}"
        raise UsageError(f"{said}; expected {last.number + 1} at most, one more than {CYCLES_FILE} has; {RESCUE}")
    _check_last(work, rows, last)


def _check_last(work: Path, rows: Collection[Row], last: Cycle) -> None:
    """The counts of the last cycle are those of the issues, unless a run was killed after it.

    What is open and what is waived goes by ``waivers.tsv``, whatever the table of issues says.
    """
    if any(row.cycle_last > last.number for row in rows):
        return
    there = Counter((row.severity, row.state == RESOLVED) for row in rows if row.cycle_changed <= last.number)
    later = Counter(row.severity for row in rows if row.cycle_changed > last.number)
    for severity in SEVERITIES:
        told = {state: last.counts.get((state, severity), 0) for state in STATES}
        for word, is_resolved, count in (
            ("open or waived", False, told[OPEN] + told[WAIVED]),
            (RESOLVED, True, told[RESOLVED]),
        ):
            least = there[severity, is_resolved]
            if not least <= count <= least + later[severity]:
                said = f"{work / CYCLES_FILE}: line {cycle_line(work, last)}: cycle {last.number} counts {count}"
                kind = f"{word} issues of severity {severity}"
                raise UsageError(f"{said} {kind}, where {ISSUES_FILE} holds {least}; {RESCUE}")


def coming_cycle(cycles: Sequence[Cycle], rows: Iterable[Row]) -> int:
    """The number of the cycle that comes next: one more than the last, or that of one which was interrupted."""
    last = cycles[-1].number if cycles else 0
    return max(last + 1, max((row.cycle_last for row in rows), default=0))
