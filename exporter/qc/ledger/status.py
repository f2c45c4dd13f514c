"""What ``trialbids qc status`` counts: issues by check and site, of now or of a cycle, of those that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ...errors import UsageError
from ..codes import MEANING
from .cycles import BY_CHECK_FILE, CYCLES_FILE, Cycle, Standing, read_cycles, read_standings, standings
from .merge import restated
from .record import check_whole, coming_cycle
from .row import ISSUES_FILE, STATES, Row, read_issues
from .table import RESCUE
from .waivers import read_waivers, strange_waivers


@dataclass(frozen=True, slots=True)
class Asked:
    """Which issues are meant; an empty field means all. ``cycle`` 0 is now."""

    checks: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    cycle: int = 0

    @property
    def is_narrow(self) -> bool:
        """Whether anything but everything is asked for."""
        return bool(self.checks or self.sites or self.states)


@dataclass(frozen=True, slots=True)
class Status:
    """The counts by check and site after a cycle, and the issues themselves where the cycle is the present one.

    ``remarks`` are sentences about lines of ``waivers.tsv``.
    """

    cycle: int
    counts: tuple[Standing, ...]
    issues: tuple[Row, ...]
    remarks: tuple[str, ...] = ()

    def total(self, state: str) -> int:
        """How many issues are in this state."""
        return sum(getattr(line, state) for line in self.counts)


def status_of(work: Path, asked: Asked, today: date) -> Status:
    """How the issues of a work folder stand today, or stood after a cycle.

    Raises ``UsageError`` where there was no cycle yet, none of that number, or nobody knows the check, site or state.
    """
    cycles, rows = read_cycles(work), read_issues(work)
    if not cycles and not rows:
        raise UsageError(f"{work / ISSUES_FILE}: there was no cycle yet; run trialbids qc run or trialbids export")
    check_whole(work, rows.values(), cycles)
    last = cycles[-1].number if cycles else 0
    if asked.cycle and asked.cycle not in {c.number for c in cycles}:
        raise UsageError(f"--cycle {asked.cycle}: there is no such cycle; expected 1 to {last}")
    earlier = None if asked.cycle in (0, last) else _earlier(work, next(c for c in cycles if c.number == asked.cycle))
    _check(asked, [*rows.values()] if earlier is None else earlier)
    if earlier is not None:
        return Status(asked.cycle, _counted(earlier, asked), ())
    waivers, coming = read_waivers(work), coming_cycle(cycles, rows.values())
    now = [restated(row, waivers.get(name), today, coming) for name, row in rows.items()]
    mine = [row for row in now if _is_asked(row.check, row.site, asked) and row.state in (asked.states or STATES)]
    return Status(last, tuple(standings(last, mine)), tuple(mine), strange_waivers(work, rows))


def _earlier(work: Path, cycle: Cycle) -> list[Standing]:
    """The counts by check and site of a cycle, seen to be those of the cycle. Raises ``UsageError``."""
    found = [s for s in read_standings(work) if s.cycle == cycle.number]
    for state in STATES:
        there, told = sum(getattr(s, state) for s in found), cycle.total(state)
        if there != told:
            said = f"{work / BY_CHECK_FILE}: counts {there} {state} issues in cycle {cycle.number}"
            raise UsageError(f"{said}; expected {told}, as {CYCLES_FILE} says; {RESCUE}")
    return found


def _counted(found: Iterable[Standing], asked: Asked) -> tuple[Standing, ...]:
    hidden = {state: 0 for state in STATES if asked.states and state not in asked.states}
    lines = (replace(s, **hidden) for s in found if _is_asked(s.check, s.site, asked))
    return tuple(s for s in lines if any(getattr(s, state) for state in STATES))


def _is_asked(check: str, site: str, asked: Asked) -> bool:
    return check in (asked.checks or (check,)) and site in (asked.sites or (site,))


def _check(asked: Asked, known: Sequence[Row] | Sequence[Standing]) -> None:
    """Refuse a filter that nothing can pass because its word is not known."""
    for option, words, there in (
        ("--check", asked.checks, sorted({*MEANING, *(k.check for k in known)})),
        ("--site", asked.sites, sorted({k.site for k in known if k.site})),
        ("--state", asked.states, list(STATES)),
    ):
        for word in words:
            if word not in there:
                expected = f"expected one of {', '.join(there)}" if there else "no issue has one"
                raise UsageError(f"{option} {word}: there is none; {expected}")
