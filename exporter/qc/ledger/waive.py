"""A person waives issues, or takes a waiver back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

from ...errors import UsageError
from .cycles import read_cycles
from .merge import restated
from .record import check_whole, coming_cycle
from .row import ISSUES_FILE, RESOLVED, Row, read_issues, write_issues
from .waivers import GIVEN, REVOKED, Waiver, add_waivers, check_words, read_waivers


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants: to waive these issues with a reason, ``until`` a day or for good; or to revoke."""

    ids: tuple[str, ...]
    by: str
    reason: str = ""
    until: str | None = None
    revoke: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: the issues as they stand now, and those of them whose waiver was there already."""

    rows: tuple[Row, ...]
    updated: tuple[str, ...]


def waive(work: Path, wish: Wish, today: date) -> Done:
    """Waive issues, or revoke their waivers; all of them or none. The caller holds the work folder.

    Raises ``UsageError`` with one sentence where an issue is unknown, resolved or not waived, or the wish says too
    little; then nothing is written.
    """
    check_words(wish.ids, wish.by, None if wish.revoke else wish.reason, wish.until, today)
    rows, known, cycles = read_issues(work), read_waivers(work), read_cycles(work)
    check_whole(work, rows.values(), cycles)
    lines = [_line(work, name, wish, rows, known, today) for name in wish.ids]
    cycle = coming_cycle(cycles, rows.values())
    add_waivers(work, lines)
    now = {line.issue_id: restated(rows[line.issue_id], line, today, cycle) for line in lines}
    write_issues(work, (rows | now).values())
    given = {name for name, w in known.items() if not w.refusal(w.digest, today)}
    updated = () if wish.revoke else tuple(name for name in wish.ids if name in given)
    return Done(tuple(now.values()), updated)


def _line(work: Path, name: str, wish: Wish, rows: dict[str, Row], known: dict[str, Waiver], today: date) -> Waiver:
    """The line of the history for one issue. Raises ``UsageError``."""
    row = rows.get(name)
    if row is None:
        raise UsageError(f"{name}: is no issue of {work / ISSUES_FILE}; {_hint(name, rows)}")
    waiver = known.get(name)
    # The clock may have been put back: no line is older than the one before it.
    made = max(today.isoformat(), waiver.made if waiver is not None else "")
    if wish.revoke:
        if waiver is None or waiver.refusal(waiver.digest, today):
            raise UsageError(f"{name}: has no waiver that could be revoked; trialbids qc status shows what is waived")
        return replace(waiver, by=wish.by, reason=wish.reason.strip(), made=made, state=REVOKED)
    if row.state == RESOLVED:
        raise UsageError(f"{name}: is resolved, so there is nothing to waive")
    if not row.digest:
        raise UsageError(f"{name}: was found by an older version; run trialbids qc run or export, then waive it")
    if wish.until and wish.until < made:
        raise UsageError(f"--until {wish.until}: is before {made}, the day of the last waiver of {name}")
    return Waiver(name, row.check, wish.by, wish.reason.strip(), wish.until or "", made, row.digest, GIVEN)


def _hint(name: str, rows: dict[str, Row]) -> str:
    near = get_close_matches(name, rows, n=1)
    return f"did you mean {near[0]}?" if near else "trialbids qc status lists them"
