"""Dates and times of one object, moved with their subject and counted from their session's first acquisition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from ...inventory.moment import DAY, EPOCH, day_of, seconds_of_day
from ..dates import Shift
from ..times import LONGEST_SESSION_S

LONGEST_BEFORE_S = DAY
"""An injection further before the session than this is no injection of this session."""

MIDNIGHT = "000000"
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?")


@dataclass(frozen=True, slots=True)
class Moments:
    """How the dates and times of one session leave."""

    shift: Shift
    start: float | None
    keep_times: bool
    _moved: dict[str, str] = field(default_factory=dict)
    """Dates moved already: there are few in a session, and many objects."""

    def date(self, text: str, time: str = "") -> str:
        """A DA value moved; that of the session's start where ``time`` is told from there. "" where it is no date."""
        first = None if self.keep_times or not time else self._first_day
        if first is not None and self._seconds(text, time) is not None and day_of(text) is not None:
            return self._move(f"{first:%Y%m%d}")
        return self._move(text)

    def _move(self, text: str) -> str:
        if text not in self._moved:
            self._moved[text] = self.shift.date(text)
        return self._moved[text]

    def time(self, text: str, day: str, earliest: float = 0.0) -> str:
        """A TM value, "" where it is no time or too far from the session: ``earliest`` seconds before it at most."""
        if self.keep_times:
            seconds = seconds_of_day(text)
            return "" if seconds is None else _as_time(seconds)
        offset = self._seconds(day, text, earliest)
        return "" if offset is None else _as_time(offset % DAY)

    def stamp(self, text: str, earliest: float = 0.0) -> str:
        """A DT value moved, its time as :meth:`time` gives it or midnight; "" where it holds no date."""
        found = _DATE_TIME.fullmatch(text.strip())
        if not found:
            return ""
        day, time = found.group(1), found.group(2) or ""
        if self.keep_times or not time:
            moved = self._move(day)
            return moved and moved + (self.time(time, day) or MIDNIGHT)
        return self.stamp_of(day, time, earliest)

    def stamp_of(self, day: str, time: str, earliest: float = 0.0) -> str:
        """The DT value of a date and a time: counted from midnight of the session's day."""
        offset = self._seconds(day, time, earliest)
        first = self._first_day
        if offset is None or first is None:
            moved = self._move(day)
            return moved and moved + MIDNIGHT
        moved = self.shift.moved(first)
        if moved is None:
            return ""
        at = datetime.combine(moved, datetime.min.time()) + timedelta(seconds=round(offset, 6))
        return f"{at.year:04d}{at:%m%d%H%M%S.%f}"

    @property
    def _first_day(self) -> date | None:
        """The day on which the session began, None where its moments have no day."""
        if self.start is None or self.start < DAY:
            return None
        return date.fromordinal(int(self.start // DAY) + EPOCH)

    def _seconds(self, day: str, time: str, earliest: float = 0.0) -> float | None:
        """Seconds since the session's first moment; without a day of its own a time is the nearest such."""
        clock = seconds_of_day(time)
        if clock is None or self.start is None:
            return None
        own = day_of(day)
        if own is None or self.start < DAY:
            offset = (clock - self.start + DAY / 2) % DAY - DAY / 2
        else:
            offset = own * DAY + clock - self.start
        return offset if -earliest <= offset <= LONGEST_SESSION_S else None


def _as_time(seconds: float) -> str:
    at = datetime.min + timedelta(seconds=round(seconds, 6))
    return f"{at:%H%M%S.%f}"
