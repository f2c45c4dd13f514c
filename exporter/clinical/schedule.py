"""Which session a row speaks of: by the visit's name and window, by its day, by a label. Nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from ..plan.visits import Visit
from ..trial.clinical import VisitWindow

NO_IMAGES = "no images of this visit"
MOST_NAMED = 12
"""So many visits of the schedule are named where a row's is none of them."""


@dataclass(frozen=True, slots=True)
class Match:
    """The sessions that a row speaks of, and why there is none; ``distance`` in days where the row says its day."""

    visits: tuple[Visit, ...] = ()
    reason: str = ""
    distance: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The trial's visits, and the day from which each subject's days are counted.

    ``baseline`` maps a subject label to that day, where the trial takes it from a table; else it is the subject's
    first session.
    """

    windows: Mapping[str, VisitWindow] = field(default_factory=dict)
    baseline: Mapping[str, date] | None = None

    def day(self, visit: Visit) -> int | None:
        """Days of a session since the baseline, None where either is not known."""
        if self.baseline is None:
            return visit.day
        start, day = self.baseline.get(visit.subject), day_of(visit)
        return None if start is None or day is None else (day - start).days

    def window_of(self, name: str) -> VisitWindow | None:
        """The window of a visit's name, in any letter case."""
        return next((w for known, w in self.windows.items() if known.casefold() == name.casefold()), None)

    def by_name(self, cell: str, sessions: Sequence[Visit]) -> Match:
        """The session in whose window the visit of this name is due; a session's own label, or the trial's own word for
        it, which its label may replace; its number in order of date where the trial has no schedule.
        """
        window = self.window_of(cell)
        labelled = [v for v in sessions if cell.casefold() in _names_of(v)]
        if window is None:
            found = labelled or ([] if self.windows else _numbered(cell, sessions))
            return Match(tuple(found), "" if found else self._stranger(cell))
        inside = [v for v in sessions if _is_in(self.day(v), window)]
        inside = [v for v in inside if v in labelled] or inside
        due = f"its window (day {window.day} ± {window.window})"
        if not inside:
            return Match(reason=f"{NO_IMAGES}: no session lies in {due}")
        if len(inside) > 1:
            return Match(reason=f"{len(inside)} sessions lie in {due}; say which by the session's label")
        return Match((inside[0],))

    def by_day(self, day: date, cell: str, sessions: Sequence[Visit], width: int | None) -> Match:
        """The session nearest to a day: not further from it than the visit's window, or ``width`` days. ``cell`` is the
        visit's name, "" where the row has none.
        """
        window = self.window_of(cell) if cell else None
        if cell and window is not None:
            sessions = [v for v in sessions if _is_in(self.day(v), window)]
        far = width if width is not None else window.window if window else self._width(day, sessions)
        if far is None:
            return Match(reason=f"{NO_IMAGES}: its day lies in no window of the schedule")
        near = sorted((abs((at - day).days), v.session, v) for v in sessions if (at := day_of(v)) is not None)
        near = [entry for entry in near if entry[0] <= far]
        if not near:
            return Match(reason=f"{NO_IMAGES}: no session lies within {far} days of the row's day")
        if len(near) > 1 and near[0][0] == near[1][0]:
            return Match(reason="two sessions lie equally near to the row's day; say which by the session's label")
        return Match((near[0][2],), distance=near[0][0])

    def _stranger(self, cell: str) -> str:
        """Why no session has this name; the cell itself is not repeated, it may hold anything."""
        if not cell:
            return "its visit is missing"
        if not self.windows:
            return NO_IMAGES
        known = ", ".join([*self.windows][:MOST_NAMED]) + (", …" if len(self.windows) > MOST_NAMED else "")
        return f"its visit is no visit of the schedule ({known}) and no session's label"

    def _width(self, day: date, sessions: Sequence[Visit]) -> int | None:
        """The window of the visit that is due at this day, the widest of several."""
        start = None if not sessions else self._start(sessions[0])
        if start is None:
            return None
        since = (day - start).days
        return max((w.window for w in self.windows.values() if _is_in(since, w)), default=None)

    def _start(self, visit: Visit) -> date | None:
        if self.baseline is not None:
            return self.baseline.get(visit.subject)
        day = day_of(visit)
        return None if day is None or visit.day is None else day - timedelta(days=visit.day)


def day_of(visit: Visit) -> date | None:
    """The day of a session, None where its images do not say."""
    try:
        return datetime.strptime(visit.date, "%Y%m%d").date()
    except ValueError:
        return None


def _is_in(day: int | None, window: VisitWindow) -> bool:
    return day is not None and abs(day - window.day) <= window.window


def _names_of(visit: Visit) -> tuple[str, ...]:
    return visit.session.casefold(), f"ses-{visit.session}".casefold(), visit.session_key.casefold()


def _numbered(cell: str, sessions: Sequence[Visit]) -> list[Visit]:
    order = sorted(sessions, key=lambda v: (v.date, v.session))
    return [v for number, v in enumerate(order, start=1) if cell.lstrip("0") == str(number)]
