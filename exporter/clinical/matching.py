"""Rows of a table and the sessions that they speak of: who has no partner, and why, on either side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from ..errors import UsageError
from ..plan.visits import Visit
from ..trial.clinical import Clinical
from .days import Form, day_in, form_of
from .schedule import NO_IMAGES, Match, Schedule
from .sheet import Sheet

Ids = Mapping[str, Sequence[Visit]]
"""The visits of every id of the trial."""


def ids_of(visits: Iterable[Visit], aliases: Mapping[tuple[str, str], Sequence[str]]) -> Ids:
    """By every id under which a subject is known: its sessions, in the order of the visits."""
    members: dict[str, list[Visit]] = defaultdict(list)
    known: dict[str, set[str]] = defaultdict(set)
    for v in visits:
        members[v.subject].append(v)
        known[v.subject] |= {v.subject_key.partition("\0")[2], *aliases.get((v.subject, v.session), ())}
    found: dict[str, list[Visit]] = defaultdict(list)
    for subject, ids in known.items():
        for identity in ids:
            found[identity].extend(members[subject])
    return found


@dataclass(frozen=True, slots=True)
class Matched:
    """The row (its place in the sheet) that speaks of each session, and a sentence for everything without a partner."""

    rows: Mapping[Visit, int]
    unmatched: tuple[str, ...]


def match_rows(table: Clinical, sheet: Sheet, ids: Ids, schedule: Schedule) -> Matched:
    """The row of every session. Raises ``UsageError`` where two rows speak of one visit, or an id is of two people."""
    return _Matching(table, sheet, ids, schedule).run()


class _Matching:
    """One look at all rows; a session that two rows claim goes to the nearer, or to none."""

    def __init__(self, table: Clinical, sheet: Sheet, ids: Ids, schedule: Schedule) -> None:
        self.table, self.sheet, self.ids, self.schedule = table, sheet, ids, schedule
        self.names = sheet[table.visit] if table.visit else None
        self.days = sheet[table.date] if table.date else None
        self.form = _form(self.days, table)
        self.claims: dict[Visit, list[tuple[int, int]]] = defaultdict(list)
        self.unmatched: list[str] = [f"{table.table.name}: {remark}" for remark in sheet.remarks]

    def run(self) -> Matched:
        bare = _bare_ids(self.ids)
        for at, identity in enumerate(self.sheet[self.table.subject]):
            sessions = self.ids.get(identity, ())
            if not sessions:
                self._leave(at, _unknown(identity, bare))
                continue
            if len({v.subject for v in sessions}) > 1:
                raise UsageError(
                    f"{self.table.table}: line {self.sheet.lines[at]}: this id is used at several sites; give the "
                    "sites in trial.yaml"
                )
            match = self._match(at, sessions)
            if match.reason:
                self._leave(at, match.reason)
            for v in match.visits:
                self.claims[v].append((match.distance, at))
        rows = {v: at for v, claims in self.claims.items() if (at := self._winner(v, claims)) is not None}
        everyone = sorted({v for visits in self.ids.values() for v in visits}, key=lambda v: (v.subject, v.session))
        name = self.table.table.name
        missing = (f"sub-{v.subject} ses-{v.session}: no row in {name}" for v in everyone if v not in rows)
        return Matched(rows, (*self.unmatched, *missing))

    def _leave(self, at: int, why: str) -> None:
        self.unmatched.append(f"{self.table.table.name} line {self.sheet.lines[at]}: {why}")

    def _match(self, at: int, sessions: Sequence[Visit]) -> Match:
        name = self.names[at] if self.names is not None else ""
        if self.days is None:
            return Match(tuple(sessions)) if self.names is None else self.schedule.by_name(name, sessions)
        if name and self.schedule.window_of(name) is None:
            return self.schedule.by_name(name, sessions)  # a session's own label says more than a day
        day = day_in(self.days[at], self.form.form) if self.form.form else None
        if day is None:
            return Match(reason=f"{NO_IMAGES}: {self.form.reason or 'its date is missing or in another form'}")
        return self.schedule.by_day(day, name, sessions, self.table.window)

    def _winner(self, visit: Visit, claims: list[tuple[int, int]]) -> int | None:
        """The row that a session goes to; the others are listed. Two rows for one visit are a mistake of the table."""
        claims.sort()
        (nearest, first), *others = claims
        if not others:
            return first
        lines = [self.sheet.lines[at] for _, at in claims]
        same_name = self.names is None or self.names[first] == self.names[others[0][1]]
        if self.days is None and same_name:
            raise UsageError(
                f"{self.table.table}: line {lines[1]}: a second row for the same subject and visit, after line "
                f"{lines[0]}; keep one of them"
            )
        tied = [at for distance, at in claims if distance == nearest]
        where = f"sub-{visit.subject} ses-{visit.session}"
        for distance, at in claims:
            if len(tied) > 1:
                self._leave(at, f"{len(claims)} rows speak of {where} with equal right; none is taken")
            elif distance > nearest:
                self._leave(at, f"another row lies nearer to {where}")
        return first if len(tied) == 1 else None


def _form(cells: Sequence[str] | None, table: Clinical) -> Form:
    filled = {cell for cell in cells or () if cell}
    return form_of(filled, table.dates) if filled else Form("")


def _bare_ids(ids: Ids) -> Mapping[str, int]:
    """How many known ids are the same but for leading zeros."""
    counts: dict[str, int] = defaultdict(int)
    for identity in ids:
        counts[identity.lstrip("0")] += 1
    return counts


def _unknown(subject: str, bare_ids: Mapping[str, int]) -> str:
    """Why an id has no images. An id is never matched by its value as a number: 007 and 7 may be two people."""
    if not subject:
        return "has no subject"
    bare = subject.lstrip("0")
    if bare and bare_ids.get(bare) == 1:
        return "no images of this subject, but of one whose id differs in leading zeros: they may be lost in the table"
    return "no images of this subject"


def baseline_of(
    column: Sequence[str], subjects: Sequence[str], ids: Ids, given: str | None
) -> tuple[dict[str, date], Form, frozenset[str]]:
    """The day of each subject's label in a column of days, the form in which the column is read, and the labels of
    those whose rows name several days.
    """
    form = form_of({cell for cell in column if cell}, given) if any(column) else Form("")
    found: dict[str, set[date]] = defaultdict(set)
    for cell, identity in zip(column, subjects, strict=True):
        day = day_in(cell, form.form) if form.form and cell else None
        if day is not None:
            for label in {v.subject for v in ids.get(identity, ())}:
                found[label].add(day)
    several = frozenset(label for label, days in found.items() if len(days) > 1)
    return {label: min(days) for label, days in found.items() if label not in several}, form, several
