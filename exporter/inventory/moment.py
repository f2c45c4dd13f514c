"""When an instance was acquired: dates and clocks as seconds on one line that midnight does not cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from .instance import Instance

DAY = 86400.0
HALF_DAY = DAY / 2
EPOCH = datetime(1970, 1, 1).toordinal()
"""Days are counted from here, so that microseconds survive in a float."""


@lru_cache(maxsize=65536)
def seconds_of_day(time: str) -> float | None:
    """Seconds since midnight of a DICOM TM value (``HH[MM[SS[.F…]]]``, colons allowed), None where it is no time.

    >>> seconds_of_day("125705.315000")
    46625.315
    >>> seconds_of_day("noon")
    """
    digits, _, fraction = time.strip().replace(":", "").partition(".")
    if not digits.isdecimal() or len(digits) not in (2, 4, 6) or (fraction and not fraction.isdecimal()):
        return None
    hours, minutes, seconds = (int(digits[n : n + 2] or 0) for n in (0, 2, 4))
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return round(hours * 3600 + minutes * 60 + seconds + (float(f"0.{fraction}") if fraction else 0.0), 6)


@lru_cache(maxsize=4096)
def day_of(date: str) -> int | None:
    """The number of a day of a DICOM DA value, None where it is no date."""
    try:
        return datetime.strptime(date.strip().replace(".", "")[:8], "%Y%m%d").toordinal() - EPOCH
    except ValueError:
        return None


def moment(instance: Instance) -> float | None:
    """When an instance was acquired, in seconds since an arbitrary but fixed day; None where it does not say.

    From AcquisitionDateTime where the frame has one of its own or no AcquisitionTime is given, else from
    AcquisitionTime with its date.
    """
    stamp = instance.AcquisitionDateTime.partition("+")[0].partition("-")[0].strip()
    if len(stamp) > 8 and (instance.frame or not instance.AcquisitionTime):
        day, seconds = day_of(stamp), seconds_of_day(stamp[8:])
        if day is not None and seconds is not None:
            return day * DAY + seconds
    return dated(instance, instance.AcquisitionTime, instance.AcquisitionDate or stamp[:8])


def content_moment(instance: Instance) -> float | None:
    """The same for ContentTime, the moment when the image was made."""
    return dated(instance, instance.ContentTime, "")


def dated(instance: Instance, time: str, date: str) -> float | None:
    """A clock of the instance with its day: ``date`` where that is one, else the day of the series or the study.

    A day that belongs to another clock is the wrong one where midnight lies between the two clocks; then they are
    more than half a day apart, and the neighbouring day is meant.
    """
    seconds = seconds_of_day(time)
    if seconds is None:
        return None
    own = day_of(date)
    if own is not None:
        return own * DAY + seconds
    for day_text, clock in (
        (instance.AcquisitionDate, instance.AcquisitionTime),
        (instance.SeriesDate, instance.SeriesTime),
        (instance.StudyDate, instance.StudyTime),
    ):
        day = day_of(day_text)
        if day is not None:
            apart = seconds - (reference if (reference := seconds_of_day(clock)) is not None else seconds)
            turned = (apart < -HALF_DAY) - (apart > HALF_DAY)
            return (day + turned) * DAY + seconds
    return seconds


def unwrapped(moments: Sequence[float | None]) -> list[float | None]:
    """Moments of one scan whose date did not turn with the clock: what seems more than half a day before the last
    lies after midnight. A scan that truly takes that long is left as it is, for its dates differ.

    >>> unwrapped([86390.0, None, 5.0])
    [86390.0, None, 86405.0]
    """
    known = [m for m in moments if m is not None]
    last = max(known, default=0.0)
    if last - min(known, default=0.0) <= HALF_DAY or len({m // DAY for m in known}) > 1:
        return list(moments)
    return [m if m is None or last - m <= HALF_DAY else m + DAY for m in moments]


def first_moment(instances: Iterable[Instance]) -> float | None:
    """The earliest moment among instances of one scan, None where none has one."""
    return min((m for m in unwrapped([moment(i) for i in instances]) if m is not None), default=None)
