"""The states of issues from one cycle to the next: a function of tables.

An issue is open, resolved (a run that did its step no longer found it) or waived (a person has excused just what is
found). It is open again where it is found after it was resolved, or where its waiver does not cover it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from ..check import FAILED_TO_RUN
from ..codes import STEP_OF, STEPS
from .issue import Issue
from .row import OPEN, RESOLVED, SEVERITIES, WAIVED, Row, is_known
from .waivers import Waiver

FOUND_AGAIN = "found again after it was resolved"
NO_IMAGES = "its session is no longer among the sources"
WITHOUT_VOXELS = ("header", "plan")
"""Steps that look at no voxel."""
BY_HAND = "was marked as waived, but waivers.tsv knows no waiver of it: use trialbids qc waive"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did: when, by which version of the program, which ``steps`` of :data:`..codes.STEPS`.

    ``unseen`` are labels of subject and session of whom this run saw nothing or not all, though they may be there: a
    folder that could not be opened, a session that failed. Their issues stay as they are where they are not found.
    ``present`` are the labels of all sessions of the sources, where they are told. ``unlooked`` are stacks whose voxels
    were not looked at, since they could not be converted, or were held back before: what was found in them stays.
    """

    when: datetime
    version: str
    steps: tuple[str, ...]
    unseen: frozenset[tuple[str, str]] = frozenset()
    present: frozenset[tuple[str, str]] | None = None
    unlooked: frozenset[str] = frozenset()

    @property
    def today(self) -> date:
        """The day of the run."""
        return self.when.date()

    @property
    def day(self) -> str:
        """The day of the run as it stands in tables."""
        return self.today.isoformat()


def merged(
    old: Mapping[str, Row], issues: Iterable[Issue], run: Run, waivers: Mapping[str, Waiver], cycle: int
) -> dict[str, Row]:
    """All issues after a run, by id: those that it found, and those of earlier cycles.

    >>> from trialbids.exporter.qc.check import Finding
    >>> run = Run(datetime(2026, 1, 31), "1.0", ("header",))
    >>> first = merged({}, [Issue(Finding("G04", "error", "one slice is missing"), "header")], run, {}, 1)
    >>> [row.state for row in merged(first, [], run, {}, 2).values()]
    ['resolved']
    """
    found = _worst(issues)
    failed = {(i.finding.evidence.key, i.finding.subject) for i in found.values() if i.finding.check == FAILED_TO_RUN}
    rows = {}
    for name, issue in found.items():
        rows[name] = _found(old.get(name), issue, run, waivers.get(name), cycle)
    for name, row in old.items():
        if name in found:
            continue
        looked = _was_looked_for(row, run) and (row.check, row.object) not in failed
        rows[name] = _gone(row, run, cycle) if looked else restated(row, waivers.get(name), run.today, cycle)
    return rows


def restated(row: Row, waiver: Waiver | None, today: date, cycle: int) -> Row:
    """An issue that nobody has looked for anew: open or waived as its waiver says today."""
    return row if row.state == RESOLVED else _stated(row, row.state, waiver, today, cycle)


def _worst(issues: Iterable[Issue]) -> dict[str, Issue]:
    """One issue an id: where a check finds the same thing twice, what it says most gravely."""
    ordered = sorted(issues, key=lambda i: (SEVERITIES.index(i.finding.severity), i.id, i.finding.digest))
    found: dict[str, Issue] = {}
    for issue in ordered:
        found.setdefault(issue.id, issue)
    return found


def _was_looked_for(row: Row, run: Run) -> bool:
    """Would this run have found the issue, were it still there? Not of a check that this version does not have."""
    if not is_known(row.check):
        return False
    step = row.step or STEP_OF.get(row.check, STEPS[0])  # older tables tell no step
    if step not in run.steps or (step not in WITHOUT_VOXELS and row.stack_id in run.unlooked):
        return False
    if row.session or not row.subject:
        hidden = (row.subject, row.session) in run.unseen or (not row.subject and bool(run.unseen))
    else:
        hidden = row.subject in {subject for subject, _ in run.unseen}
    return not hidden


def _found(before: Row | None, issue: Issue, run: Run, waiver: Waiver | None, cycle: int) -> Row:
    now = issue.to_row(run.day, cycle)
    if before is None:
        return _stated(now, OPEN, waiver, run.today, cycle)
    kept = replace(
        now,
        first_seen=before.first_seen,
        cycle_first=before.cycle_first or cycle,
        cycle_changed=before.cycle_changed,
        note=before.note,
    )
    return _stated(kept, before.state, waiver, run.today, cycle)


def _gone(row: Row, run: Run, cycle: int) -> Row:
    if row.state == RESOLVED:
        return row
    lost = run.present is not None and row.session and (row.subject, row.session) not in run.present
    note = NO_IMAGES if lost else ""
    return replace(row, state=RESOLVED, cycle_changed=cycle, waived_by="", waived_until="", note=note)


def _stated(row: Row, before: str, waiver: Waiver | None, today: date, cycle: int) -> Row:
    """The row in the state that its waiver gives it; ``before`` is the state in which it was."""
    if waiver is None and row.state == before == OPEN:
        return row
    refusal = BY_HAND if waiver is None else waiver.refusal(row.digest, today)
    covers = waiver is not None and not refusal
    state = WAIVED if covers else OPEN
    changed = state != before
    notes = {RESOLVED: FOUND_AGAIN, WAIVED: refusal}
    return replace(
        row,
        state=state,
        cycle_changed=cycle if changed else row.cycle_changed,
        waived_by=waiver.by if waiver is not None and covers else "",
        waived_until=waiver.until if waiver is not None and covers else "",
        note="" if state == WAIVED else notes[before] if changed else row.note,
    )
