"""Dates of a series that no clock gives in this order (C06)."""

from __future__ import annotations

from collections.abc import Iterator

from ...inventory.instance import Instance
from ...inventory.moment import DAY, dated, day_of, moment
from ..check import Evidence
from ..views import Series

LONGEST_STUDY_DAYS = 7
CLOCKS_APART_S = 3600.0
"""Content may be stamped by another clock than the acquisition."""


def in_wrong_order(series: Series, days: float) -> Iterator[Evidence]:
    """Birth after the study; series or acquisition before the study, or the acquisition long after it; content before
    the acquisition. ``days`` is what dates may differ by where midnight lies between two of them."""
    found: dict[str, Evidence] = {}
    for i in {_stamp(i): i for i in series.instances}.values():
        for key, message in _disorder(i, days):
            found.setdefault(key, Evidence(message, key))
    yield from found.values()


def _stamp(i: Instance) -> tuple[str, ...]:
    """What is looked at, to the minute: a series has few of these."""
    dates = (i.PatientBirthDate, i.StudyDate, i.SeriesDate, i.AcquisitionDate, i.ContentDate)
    return (*dates, i.AcquisitionDateTime[:12], i.AcquisitionTime[:4], i.ContentTime[:4])


def _disorder(i: Instance, days: float) -> Iterator[tuple[str, str]]:
    born, study = day_of(i.PatientBirthDate), day_of(i.StudyDate)
    series, content = day_of(i.SeriesDate), day_of(i.ContentDate)
    acquired = day_of(i.AcquisitionDate or i.AcquisitionDateTime[:8])
    known = [day for day in (study, series, acquired, content) if day is not None]
    if born is not None and known and born > min(known):
        yield "birth", "the patient is born after the study"
    for name, day in (("series", series), ("acquisition", acquired)):
        if day is not None and study is not None and study - day > days:
            yield f"{name}-study", f"the date of the {name} is before that of the study"
    if acquired is not None and study is not None and acquired - study > LONGEST_STUDY_DAYS:
        yield "study-acquisition", f"the acquisition is dated more than {LONGEST_STUDY_DAYS} days after the study"
    if content is not None and acquired is not None and acquired - content > days:
        yield "content", "the content is dated before the acquisition"
    elif i.ImageType[:1] != ("DERIVED",) and _is_stamped_early(i):
        yield "content", "the content is stamped before the acquisition"


def _is_stamped_early(i: Instance) -> bool:
    """Whether the clock of the content was read well before that of the acquisition."""
    acquired, made = moment(i), dated(i, i.ContentTime, i.ContentDate)
    if acquired is None or made is None or (acquired < DAY) != (made < DAY):  # one of the two has no day
        return False
    return acquired - made > CLOCKS_APART_S
