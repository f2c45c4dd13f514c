"""Times of acquisition as offsets, so that intervals can leave while clocks and dates stay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from ..inventory.instance import Instance
from ..inventory.moment import DAY, seconds_of_day
from ..inventory.moment import moment as stated_moment

__all__ = ["Clock", "as_offset", "first_moment", "moment", "seconds_of_day"]

LONGEST_SESSION_S = 6 * 3600.0
"""Further from the session's first image than this, a time is a clock of its own and would tell the time of day."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How the moments of one session leave: counted from its first, or as they are where the trial keeps times.

    ``start`` is the session's first moment in seconds (None where no image tells one), ``day`` the session's day in
    the form in which it leaves (None where the headers have none, or none that is a date).
    """

    start: float | None
    day: date | None = None
    keep_times: bool = False

    def seconds(self, instances: Iterable[Instance]) -> float | None:
        """The first moment among instances, in seconds since the session's first; None where it does not say."""
        first = first_moment(instances)
        if first is None or self.start is None or not 0 <= first - self.start <= LONGEST_SESSION_S:
            return None
        return first - self.start

    def time_of_day(self, seconds: float) -> str:
        """A moment of the session as a time of day."""
        return as_offset(seconds + self._first_of_day)

    def stamp(self, seconds: float | None) -> str:
        """A moment of the session as BIDS writes ``acq_time``, "n/a" where the day or the moment is not known.

        >>> Clock(1000.0, date(1771, 6, 22)).stamp(751.25)
        '1771-06-22T00:12:31.250000'
        """
        if seconds is None or self.day is None:
            return "n/a"
        at = datetime.combine(self.day, time()) + timedelta(seconds=round(self._first_of_day + seconds, 6))
        return at.isoformat("T", "microseconds")

    @property
    def _first_of_day(self) -> float:
        return self.start % DAY if self.keep_times and self.start is not None else 0.0


def moment(instance: Instance) -> float | None:
    """When an instance was acquired, in seconds since an arbitrary but fixed day; None where it does not say."""
    seconds = stated_moment(instance)
    return seconds if seconds and seconds % DAY else None  # a scan at midnight sharp is a placeholder


def first_moment(instances: Iterable[Instance]) -> float | None:
    """The earliest moment among instances, None where none has one."""
    return min((m for m in map(moment, instances) if m is not None), default=None)


def as_offset(seconds: float) -> str:
    """Seconds since a session's first acquisition as a time of day: the session starts at 00:00:00.

    >>> as_offset(751.25)
    '00:12:31.250000'
    """
    text = str(timedelta(seconds=round(seconds % DAY, 6)))
    head, _, fraction = text.partition(".")
    return f"{head.zfill(8)}.{fraction.ljust(6, '0')}"
