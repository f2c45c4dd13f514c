"""The cycles of checks: what every run came to, in all and by check and site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...tables import tsv_bytes, write_private
from ..codes import STEPS
from .merge import Run
from .row import OPEN, RESOLVED, SEVERITIES, STATES, WAIVED, Row
from .table import RESCUE, read_strictly

CYCLES_FILE, BY_CHECK_FILE = "cycles.tsv", "cycles-by-check.tsv"
NEW, REOPENED, RESOLVED_NOW, WAIVED_NOW = "new", "reopened", "resolved_now", "waived_now"
CHANGES = (NEW, REOPENED, RESOLVED_NOW, WAIVED_NOW)
WORDS = (*STATES, *CHANGES)
"""What is counted: issues in each state at the end of a cycle, and those that came to it in this cycle."""

HEAD = ("cycle", "when", "version", "steps")
COUNT_COLUMNS = (*WORDS, *(f"{word}_{severity}" for word in WORDS for severity in SEVERITIES))
BY_CHECK_COLUMNS = ("cycle", "check", "site", *STATES)


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run of the checks and what it came to. ``counts`` are by a word of :data:`WORDS` and severity."""

    number: int
    when: str
    version: str
    steps: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]

    def total(self, word: str) -> int:
        """The count of all severities."""
        return sum(self.counts.get((word, severity), 0) for severity in SEVERITIES)

    @property
    def is_quiet(self) -> bool:
        """Whether no issue changed its state since the cycle before."""
        return not any(self.total(word) for word in CHANGES)

    def to_row(self) -> dict[str, str]:
        """The cycle as cells."""
        head = (str(self.number), self.when, self.version, " ".join(self.steps))
        totals = {word: str(self.total(word)) for word in WORDS}
        parts = {f"{w}_{s}": str(self.counts.get((w, s), 0)) for w in WORDS for s in SEVERITIES}
        return dict(zip(HEAD, head, strict=True)) | totals | parts


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """How many issues of one check at one site were in each state at the end of a cycle."""

    cycle: int
    check: str
    site: str
    open: int
    waived: int
    resolved: int


def cycle_of(number: int, run: Run, rows: Iterable[Row]) -> Cycle:
    """What a run came to, from the issues as they stand after it."""
    counts = Counter((word, row.severity) for row in rows for word in _words(row, number))
    return Cycle(number, run.when.isoformat("T", "seconds"), run.version, run.steps, dict(counts))


def _words(row: Row, number: int) -> Iterable[str]:
    yield row.state
    is_new = row.cycle_first == number
    if is_new:
        yield NEW
    if row.cycle_changed == number and not (is_new and row.state == OPEN):
        yield {OPEN: REOPENED, RESOLVED: RESOLVED_NOW, WAIVED: WAIVED_NOW}[row.state]


def standings(cycle: int, rows: Iterable[Row]) -> list[Standing]:
    """The issues by check and site, as they stand."""
    counts = Counter((row.check, row.site, row.state) for row in rows)
    places = sorted({(check, site) for check, site, _ in counts})
    return [Standing(cycle, *place, *(counts[*place, state] for state in STATES)) for place in places]


def read_cycles(work: Path) -> list[Cycle]:
    """The cycles in their order. Raises ``UsageError`` with the line of a table that is damaged."""
    path, cycles = work / CYCLES_FILE, []
    for line in read_strictly(path, (*HEAD, *COUNT_COLUMNS)):
        number = line.count("cycle")
        if not number:
            raise line.wrong("cycle", "a whole number from 1")
        if cycles and number != cycles[-1].number + 1:
            expected = f"expected {cycles[-1].number + 1}, after that of the line before"
            raise UsageError(f"{path}: line {line.number}: cycle {number} is out of order; {expected}; {RESCUE}")
        counts = {(word, s): line.count(f"{word}_{s}") for word in WORDS for s in SEVERITIES}
        for word in WORDS:
            total = sum(counts[word, severity] for severity in SEVERITIES)
            if line.count(word) != total:
                raise line.wrong(word, f"{total}, the sum of {', '.join(f'{word}_{s}' for s in SEVERITIES)}")
        head = (line.moment("when"), line.cells["version"], tuple(line.cells["steps"].split(" ")))
        if not set(head[2]) <= {*STEPS}:
            raise line.wrong("steps", f"some of {', '.join(STEPS)}")
        cycles.append(Cycle(number, *head, counts))
    return cycles


def cycle_line(work: Path, cycle: Cycle) -> int:
    """The line of ``cycles.tsv`` on which a cycle stands."""
    lines = read_strictly(work / CYCLES_FILE, HEAD)
    return next(line.number for line in lines if line.count("cycle") == cycle.number)


def write_cycles(work: Path, cycles: Sequence[Cycle]) -> None:
    """Write ``cycles.tsv``."""
    write_private(work / CYCLES_FILE, tsv_bytes((*HEAD, *COUNT_COLUMNS), (c.to_row() for c in cycles)))


def read_standings(work: Path) -> list[Standing]:
    """The counts by check and site of all cycles. Raises ``UsageError`` with the line of a damaged table."""
    lines = read_strictly(work / BY_CHECK_FILE, BY_CHECK_COLUMNS)
    return [
        Standing(n.count("cycle"), n.cells["check"], n.cells["site"], *(n.count(state) for state in STATES))
        for n in lines
    ]


def write_standings(work: Path, found: Iterable[Standing]) -> None:
    """Write ``cycles-by-check.tsv``."""
    rows = ({name: str(getattr(s, name)) for name in BY_CHECK_COLUMNS} for s in found)
    write_private(work / BY_CHECK_FILE, tsv_bytes(BY_CHECK_COLUMNS, rows))
