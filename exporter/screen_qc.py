"""What a person sees of the cycles of checks: what a run came to, how issues stand, waivers, the history."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from . import screen
from .qc.codes import MEANING
from .qc.headers.duplicates import COPIES
from .qc.inspection.estimate import Inspection, drawn_of, percent, rounded
from .qc.ledger.cycles import CHANGES, NEW, REOPENED, RESOLVED_NOW, WAIVED_NOW, WORDS, Cycle
from .qc.ledger.record import Recorded
from .qc.ledger.row import ISSUES_FILE, OPEN, RESOLVED, SEVERITIES, STATES, WAIVED, Row
from .qc.ledger.status import Asked, Status
from .qc.ledger.waive import Done
from .qc.reference import Entry
from .tables import plain

MOST_ISSUES, MOST_FRESH = 40, 10
INSPECTION_FILE = "curation/inspection.json"
CHANGE_WORDS = {NEW: "new", REOPENED: "open again", RESOLVED_NOW: "resolved", WAIVED_NOW: "waived"}
SHOWN = ("issue_id", "severity", "state", "site", "subject", "session", "message", "note")


def show_cycle(recorded: Recorded, work: Path, *, as_json: bool) -> None:
    """What a run of the checks came to, and the issues that are open since it."""
    cycle = recorded.cycle
    if as_json:
        _print_json({**_cycle_json(cycle), "remarks": list(recorded.remarks)})
        return
    _say(f"cycle {cycle.number}: {_open(cycle)}, {cycle.total(WAIVED):,} waived, {cycle.total(RESOLVED):,} resolved")
    _say(_changes(cycle))
    fresh = [r for r in recorded.rows if r.state == OPEN and cycle.number in (r.cycle_first, r.cycle_changed)]
    if len(fresh) > MOST_FRESH:
        for line in _counts(fresh):
            _say(line)
    _show_issues(fresh, work, MOST_FRESH)
    _say(f"all of them are in {work / ISSUES_FILE} (private); trialbids qc status --state open lists them by check")
    for remark in recorded.remarks:
        _say(remark)


def show_inspection(found: Inspection | None) -> None:
    """What the inspection of the images came to, in one line; nothing where nobody has judged any."""
    if found is not None and found.rate is not None:
        estimated = "" if found.sample.n == found.images else "an estimated "
        figures = f"{estimated}{rounded(found.rate)} wrong, at most {percent(found.at_most)} with 95 % confidence"
        looked = f"{drawn_of(found.sample.n, found.images)} images looked at"
        _say(f"inspection: {figures} ({looked}); it is in {INSPECTION_FILE}")


def show_status(status: Status, asked: Asked, work: Path, *, as_json: bool) -> None:
    """The counts by check and site; where something is asked for, the issues too."""
    if as_json:
        counts = [{name: getattr(s, name) for name in ("check", "site", *STATES)} for s in status.counts]
        issues = [_issue_json(row) for row in status.issues] if asked.is_narrow else []
        _print_json({"cycle": status.cycle, "counts": counts, "issues": issues, "remarks": list(status.remarks)})
        return
    table = Table("check", "site", *STATES, title=f"Issues after cycle {status.cycle}", title_justify="left")
    for line in status.counts:
        table.add_row(line.check, line.site or "-", *(f"{getattr(line, state):,}" for state in STATES))
    table.add_section()
    table.add_row("all", "", *(f"{status.total(state):,}" for state in STATES))
    screen.OUT.print(table)
    if asked.is_narrow:
        _show_issues(status.issues, work, MOST_ISSUES)
    for remark in status.remarks:
        _say(remark)


def show_checks(entries: Sequence[Entry], *, as_json: bool) -> None:
    """Every check there is."""
    if as_json:
        _print_json({"checks": [asdict(entry) for entry in entries]})
        return
    table = Table("check", "known at", "level", "severity", "what it finds", "tolerance", box=SIMPLE)
    for e in entries:
        limits = ", ".join(f"{key}: {value}" for key, value in e.tolerances.items())
        table.add_row(e.code, e.step, " ".join(e.levels), e.severities, e.meaning, limits)
    screen.OUT.print(table)


def show_waivers(done: Done, *, as_json: bool) -> None:
    """What became of a waiver or its revocation."""
    if as_json:
        _print_json({"issues": [_issue_json(row) for row in done.rows], "updated": list(done.updated)})
        return
    for row in done.rows:
        until = f" until {row.waived_until}" if row.waived_until else ""
        how = f"waived by {row.waived_by}{until}" if row.state == WAIVED else f"{row.state}; its waiver is revoked"
        again = "; it was waived already, this waiver stands now" if row.issue_id in done.updated else ""
        _say(f"{row.issue_id}: {how}{again}")
    _say("the next trialbids qc run or export counts this and acts on it")


def show_history(cycles: Sequence[Cycle], files: Iterable[Path], *, as_json: bool) -> None:
    """Every cycle in a line, and where the picture is."""
    if as_json:
        _print_json({"cycles": [_cycle_json(c) for c in cycles], "files": [str(path) for path in files]})
        return
    for line in _history(cycles):
        _say(line)
    _say(f"drawn in {', '.join(map(str, files))}")


def _history(cycles: Sequence[Cycle]) -> Iterator[str]:
    """A line a cycle with all its figures, and one more for each further kind of change: no table, since that would
    cut figures off where the window is narrow."""
    rows: list[tuple[str, ...]] = [("cycle", "day", *(f"{s}s" for s in SEVERITIES), WAIVED, RESOLVED)]
    for c in cycles:
        opened = (f"{c.counts.get((OPEN, s), 0):,}" for s in SEVERITIES)
        settled = (f"{c.total(state):,}" for state in (WAIVED, RESOLVED))
        rows.append((str(c.number), c.when[:10], *opened, *settled))
    changes = ["changes", *map(_changes, cycles)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    yield "Cycles: open issues by severity, and the others"
    for row, changed in zip(rows, changes, strict=True):
        line = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        first, *others = changed.split(", ")
        yield f"{line}  {first}"
        yield from (" " * (len(line) + 2) + other for other in others)


def _open(cycle: Cycle) -> str:
    parts = (
        f"{cycle.counts.get((OPEN, s), 0):,} {s}{'' if cycle.counts.get((OPEN, s)) == 1 else 's'}" for s in SEVERITIES
    )
    return f"{cycle.total(OPEN):,} open ({', '.join(parts)})"


def _changes(cycle: Cycle) -> str:
    if cycle.is_quiet:
        return "nothing changed"
    return ", ".join(f"{cycle.total(word):,} {CHANGE_WORDS[word]}" for word in CHANGES if cycle.total(word))


def _counts(rows: Sequence[Row]) -> Iterator[str]:
    """How many issues there are of each check, the gravest first."""
    counts = Counter((SEVERITIES.index(row.severity), row.check) for row in rows)
    for (severity, check), n in sorted(counts.items()):
        yield f"  {n:6,} x {check}  {SEVERITIES[severity]:7}  {MEANING.get(check, '')}"


def _show_issues(rows: Sequence[Row], work: Path, most: int) -> None:
    """The first of these issues, the gravest at the top."""
    ordered = sorted(rows, key=lambda r: (STATES.index(r.state), SEVERITIES.index(r.severity), r.check, r.issue_id))
    for row in ordered[:most]:
        place = " ".join(
            filter(None, (row.site, row.subject and f"sub-{row.subject}", row.session and f"ses-{row.session}"))
        )
        note = f" ({row.note})" if row.note else ""
        where = _place(row)
        told = f" [{where}]" if where else ""
        _say(f"{row.issue_id}  {row.severity:7}  {row.state:8}  {place}  {row.message}{told}{note}")
    if len(rows) > most:
        _say(f"and {len(rows) - most:,} more in {work / ISSUES_FILE}")


def _place(row: Row) -> str:
    """What a person has to look for: a file (of copies also the one that is kept), or a stack."""
    if row.level != "instance":
        return row.stack_id and f"stack {row.stack_id}"
    first, *others = row.instances.split("; ")
    return f"{first}; kept: {others[0]}" if row.check == COPIES and others else first


def _cycle_json(cycle: Cycle) -> dict[str, object]:
    head = {"cycle": cycle.number, "when": cycle.when, "version": cycle.version, "steps": list(cycle.steps)}
    by_severity = {w: {s: cycle.counts.get((w, s), 0) for s in SEVERITIES} for w in WORDS}
    return {**head, "changed": not cycle.is_quiet, **by_severity}


def _issue_json(row: Row) -> dict[str, str]:
    return {name: str(getattr(row, name)) for name in SHOWN}


def _print_json(data: dict[str, object]) -> None:
    screen.OUT.print_json(json.dumps(data))


def _say(sentence: str) -> None:
    screen.OUT.print(plain(sentence), soft_wrap=True)
