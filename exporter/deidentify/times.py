"""Times of acquisition as offsets, so that intervals can leave while clocks and dates stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from ..inventory.instance import Instance
from ..inventory.moment import DAY, seconds_of_day
from ..inventory.moment import moment as stated_moment

__all__ = ["as_offset", "first_moment", "moment", "seconds_of_day"]


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
