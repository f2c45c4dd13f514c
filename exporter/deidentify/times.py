"""Times of acquisition as seconds, so that intervals can leave while clocks and dates stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

from ..inventory.instance import Instance

DAY = 86400.0


def seconds_of_day(time: str) -> float | None:
    """Seconds since midnight of a DICOM TM value (``HH[MM[SS[.F…]]]``, colons allowed), None where it is no time.

    >>> seconds_of_day("125705.315000")
    46625.315
    >>> seconds_of_day("noon")
    """
    digits, _, fraction = time.strip().replace(":", "").partition(".")
    if not digits.isdigit() or len(digits) not in (2, 4, 6) or (fraction and not fraction.isdigit()):
        return None
    hours, minutes, seconds = (int(digits[n : n + 2] or 0) for n in (0, 2, 4))
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return round(hours * 3600 + minutes * 60 + seconds + (float(f"0.{fraction}") if fraction else 0.0), 6)


def moment(instance: Instance) -> float | None:
    """When an instance was acquired, in seconds since an arbitrary but fixed day; None where it does not say."""
    stamp = instance.AcquisitionDateTime
    date = stamp[:8] if stamp[8:] else instance.AcquisitionDate or instance.SeriesDate or instance.StudyDate
    clock = stamp[8:].split("+")[0].split("-")[0] or instance.AcquisitionTime
    seconds = seconds_of_day(clock)
    if not seconds:  # a scan at midnight sharp is a placeholder
        return None
    return _day(date[:8]) * DAY + seconds


@cache
def _day(date: str) -> int:
    """The number of a day, 0 where it is no date."""
    try:
        return datetime.strptime(date, "%Y%m%d").toordinal()
    except ValueError:
        return 0


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
