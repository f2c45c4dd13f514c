"""What is there twice: each finding of stacking is one of a series, and copies under another UID are met."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seriesmaker import content, records_of, series, stacks_of, uid

from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.qc.check import run_checks
from trialbids.exporter.qc.headers.duplicates import (
    DUPLICATES_SERIES,
    DUPLICATES_SESSION,
    SET_ASIDE,
    stacking_findings,
)
from trialbids.exporter.qc.views import Series, Session
from trialbids.exporter.stacks import stack_instances
from trialbids.exporter.stacks.reasons import SENTENCES, SERIES_INCOMPLETE

TIMED = {"AcquisitionTime": "101500", "StudyDate": "20200310", "RepetitionTime": 4000.0, "EchoTime": 90.0}


def found(stacking):
    return {(f.check, f.severity): f for f in stacking_findings(stacking)}


def session_of(*rows):
    visit = Visit("A1", "01", "S1", "x", "20200101", "20200101", 0)
    return Session(visit, tuple(records_of(*rows)))


def again(rows, number, **changes):
    """The same images under another series UID and number."""
    other = uid("again", number)
    return [
        replace(i, SeriesInstanceUID=other, SeriesNumber=number, SOPInstanceUID=uid(i.SOPInstanceUID, number),
                path=f"{i.path}.{number}", **changes)
        for i in rows
    ]  # fmt: skip


def test_a_sound_study_has_no_findings():
    assert found(stacks_of(series(1), series(2))) == {}


def test_copies_and_reused_identifiers_are_one_finding_a_series():
    rows = series(1, 4)
    copies = [replace(i, path=f"{i.path}.copy") for i in rows]
    same = stack_instances([*rows, *copies], lambda i: i.SOPInstanceUID)
    finding = found(same)["D01", "info"]
    assert finding.evidence.values == (("images", 4),) and finding.stacks == ()
    pairs = [place for i in rows for place in (f"{i.path}.copy", i.path)]
    assert [path for path, _, _ in finding.evidence.instances] == pairs
    differing = found(stack_instances([*rows, *copies], content))
    assert ("C02", "error") in differing and rows[0].path not in differing["C02", "error"].message


def test_a_series_under_two_patients_or_studies_blocks_all_its_stacks():
    rows = series(1, 4)
    for change in ({"PatientID": "P2"}, {"StudyInstanceUID": uid("other")}):
        moved = [replace(i, **change) for i in rows[2:]]
        finding = found(stacks_of(rows[:2], moved))["C01", "error"]
        assert len(finding.stacks) == 2 and finding.subject == rows[0].SeriesInstanceUID


def test_images_that_nothing_tells_apart_are_d05_and_a_cut_file_is_f02():
    rows = series(1, 4)
    twice = [*rows, *(replace(i, path=f"{i.path}b", SOPInstanceUID=uid(i.path)) for i in rows)]
    assert ("D05", "error") in found(stacks_of(twice))
    broken = stack_instances(rows, content, broken=[rows[0].SeriesInstanceUID])
    assert found(broken)["F02", "error"].message == SENTENCES[SERIES_INCOMPLETE]


def test_every_reason_for_setting_aside_has_a_check():
    assert set(SET_ASIDE) <= set(SENTENCES)


def test_one_scan_under_two_series_uids_is_met():
    rows = series(3, 5, **TIMED)
    (finding,) = run_checks(DUPLICATES_SESSION, session_of(rows, again(rows, 103)))
    assert finding.check == "D02" and len(finding.stacks) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"AcquisitionTime": "102000"},
        {"EchoTime": 60.0},
        {"ImageType": ("ORIGINAL", "PRIMARY", "P")},
        {"SeriesDescription": "filtered"},
        {"pixel_length": 64},
    ],
)
def test_what_differs_in_anything_is_no_copy(changes):
    rows = series(3, 5, **TIMED)
    assert run_checks(DUPLICATES_SESSION, session_of(rows, again(rows, 103, **changes))) == ()


def test_images_without_times_are_not_called_copies():
    rows = series(3, 5)
    assert run_checks(DUPLICATES_SESSION, session_of(rows, again(rows, 103))) == ()


def test_projections_and_reformats_are_named_as_derived_copies():
    rows = series(3, 5, ImageType=("DERIVED", "SECONDARY", "MPR"), SeriesDescription="t1 mpr cor")
    view = Series("1", tuple(rows), tuple(records_of(rows)))
    assert [(f.check, f.severity) for f in run_checks(DUPLICATES_SERIES, view)] == [("D04", "info")]
    plain = series(3, 5)
    assert run_checks(DUPLICATES_SERIES, Series("1", tuple(plain), tuple(records_of(plain)))) == ()
