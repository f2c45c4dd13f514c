"""Dates move by one secret number of days a subject, into 1925 or before; times count from the session's start."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.deidentify.dates import LATEST_SOURCE, parsed, shift_of
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.deidentify.times import Clock
from trialbids.exporter.inventory.instance import Instance

KEY = Pseudonyms(bytes(range(32)))
days = st.dates(min_value=date(1900, 1, 1), max_value=LATEST_SOURCE)
labels = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=10, max_size=10)


def dicom(day: date) -> str:
    return f"{day:%Y%m%d}"


@given(days, days, labels)
def test_intervals_between_dates_of_a_subject_stay(one: date, other: date, subject: str) -> None:
    shift = shift_of(KEY, subject)
    moved_one, moved_other = parsed(shift.date(dicom(one))), parsed(shift.date(dicom(other)))
    assert moved_one is not None and moved_other is not None
    assert moved_one - moved_other == one - other
    assert max(moved_one, moved_other) <= date(1925, 12, 31)


def test_subjects_and_keys_have_shifts_of_their_own() -> None:
    shifts = {shift_of(KEY, f"S{n}").days for n in range(50)} | {shift_of(Pseudonyms(bytes(32)), "S1").days}
    assert len(shifts) >= 50


@pytest.mark.parametrize("text", ["", "2019", "20190231", "2019-03-14", "unknown", "99999999", "２０１９０３１４", "0"])
def test_what_is_no_date_leaves_as_nothing(text: str) -> None:
    assert shift_of(KEY, "S1").date(text) == ""


def test_the_old_form_of_a_date_moves_too() -> None:
    shift = shift_of(KEY, "S1")
    assert shift.date("2019.03.14") == shift.date("20190314") != ""


@given(st.integers(1, 86_399_000), st.integers(0, 6 * 3600 * 1000))
def test_the_session_starts_at_midnight_and_intervals_keep_their_precision(start: int, later: int) -> None:
    clock = Clock(start / 1000, date(1771, 6, 22))
    first, second = (datetime.fromisoformat(clock.stamp(seconds)) for seconds in (0.0, later / 1000))
    assert first == datetime(1771, 6, 22)
    assert second - first == timedelta(milliseconds=later)


def test_times_stay_where_the_trial_keeps_them_and_the_night_is_crossed() -> None:
    late = Instance(path="", AcquisitionDate="20190314", AcquisitionTime="235950.5")
    clock = Clock(86390.5, date(1771, 6, 22), keep_times=True)
    assert clock.stamp(0.0) == "1771-06-22T23:59:50.500000"
    assert clock.stamp(20.0) == "1771-06-23T00:00:10.500000"
    assert Clock(None, date(1771, 6, 22)).seconds([late]) is None
    assert Clock(1.0, None).stamp(0.0) == "n/a"
