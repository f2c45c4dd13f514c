"""One cycle: the issues of a run go into the ledger of the work folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from .cycles import CYCLES_FILE, Cycle, cycle_of, read_cycles, read_standings, standings, write_cycles, write_standings
from .issue import Issue
from .merge import Run, merged
from .row import ISSUES_FILE, STATES, Row, read_issues, write_issues
from .table import RESCUE
from .waivers import read_waivers


@dataclass(frozen=True, slots=True)
class Recorded:
    """A cycle and the issues as they stand after it."""

    cycle: Cycle
    rows: tuple[Row, ...]


def check_ledger(work: Path) -> None:
    """Look whether the ledger can be read, before long work whose end needs it.

    Raises ``UsageError`` with file, line and what was expected.
    """
    _check_whole(work, read_issues(work), read_cycles(work))
    read_waivers(work)
    read_standings(work)


def record_cycle(work: Path, issues: Iterable[Issue], run: Run) -> Recorded:
    """Merge what a run found with what is known, and count it as a cycle. The caller holds the work folder.

    Writes ``issues.tsv``, ``cycles-by-check.tsv`` and last ``cycles.tsv``: a run that is killed between them is counted
    by the next one, under the same number. Raises ``UsageError`` where a table is damaged; then nothing is written.
    """
    old, cycles, places = read_issues(work), read_cycles(work), read_standings(work)
    _check_whole(work, old, cycles)
    number = coming_cycle(cycles, old.values())
    rows = merged(old, issues, run, read_waivers(work), number)
    cycle = cycle_of(number, run, rows.values())
    earlier = [s for s in places if s.cycle < number]
    write_issues(work, rows.values())
    write_standings(work, [*earlier, *standings(number, rows.values())])
    write_cycles(work, [*(c for c in cycles if c.number < number), cycle])
    return Recorded(cycle, tuple(rows.values()))


def _check_whole(work: Path, rows: Collection[str], cycles: Sequence[Cycle]) -> None:
    """Refuse a table of issues that has lost lines since the last cycle: none is ever taken out of it."""
    counted = sum(cycles[-1].total(state) for state in STATES) if cycles else 0
    if len(rows) < counted:
        path = work / ISSUES_FILE
        said = f"{path}: holds {len(rows)} issues, where cycle {cycles[-1].number} counted {counted}"
        raise UsageError(f"{said}; {RESCUE}, or take {CYCLES_FILE} away too to begin anew")


def coming_cycle(cycles: Sequence[Cycle], rows: Iterable[Row]) -> int:
    """The number of the cycle that comes next: one more than the last, or that of one which was interrupted."""
    last = cycles[-1].number if cycles else 0
    return max(last + 1, max((row.cycle_last for row in rows), default=0))
