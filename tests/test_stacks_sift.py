"""Copies, reused identifiers, and series in two studies or patients."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seriesmaker import content, series, stacks_of

from trialbids.exporter.stacks import stack_instances


def reasons(stacking) -> list[tuple[str, str]]:
    return [(a.instance.path, a.reason) for a in stacking.set_aside]


def test_a_copy_is_set_aside_and_the_first_path_is_kept() -> None:
    rows = series(1, 3)
    copies = [replace(r, path="/copy" + r.path) for r in rows]
    stacking = stack_instances(rows + copies, lambda i: i.SOPInstanceUID)
    assert [i.path for i in stacking.stacks[0].instances] == sorted(c.path for c in copies)
    assert {reason for _, reason in reasons(stacking)} == {"duplicate"}


def test_content_is_read_for_suspects_only() -> None:
    rows = series(1, 3)
    asked: list[str] = []
    stack_instances([*rows, replace(rows[0], path="/z")], lambda i: asked.append(i.path) or "same")
    assert sorted(asked) == sorted([rows[0].path, "/z"])


def test_one_uid_on_different_images_of_a_series_keeps_the_first() -> None:
    rows = [replace(r, SOPInstanceUID="1.2.3", SeriesNumber=n) for n, r in zip((3, 1, 2), series(1, 3), strict=True)]
    stacking = stack_instances(rows, content)
    assert [i.SeriesNumber for s in stacking.stacks for i in s.instances] == [1]
    assert [s.caution for s in stacking.stacks] == ["sop-uid-reused"]
    assert {reason for _, reason in reasons(stacking)} == {"sop-uid-reused"}


def test_one_uid_in_two_patients_keeps_neither() -> None:
    one, other = series(1, 1)[0], series(2, 1, PatientID="P2", StudyInstanceUID="9.9")[0]
    stacking = stack_instances([one, replace(other, SOPInstanceUID=one.SOPInstanceUID)], content)
    assert not stacking.stacks
    assert {reason for _, reason in reasons(stacking)} == {"sop-uid-reused"}


def test_a_series_under_two_studies_is_never_merged() -> None:
    rows = series(1, 4)
    stacking = stacks_of(rows[:2], [replace(r, StudyInstanceUID="9.9") for r in rows[2:]])
    assert [len(s.instances) for s in stacking.stacks] == [2, 2]
    assert {s.doubt for s in stacking.stacks} == {"series-in-two-studies"}


def test_a_series_under_two_patients_is_never_merged() -> None:
    rows = series(1, 4)
    stacking = stacks_of(rows[:2], [replace(r, PatientID="P2") for r in rows[2:]])
    assert [len(s.instances) for s in stacking.stacks] == [2, 2]
    assert {s.doubt for s in stacking.stacks} == {"series-in-two-patients"}


def test_frames_of_one_object_are_no_copies() -> None:
    rows = [replace(r, path="/enhanced", SOPInstanceUID="1.2", frame=k + 1) for k, r in enumerate(series(1, 5))]
    stacking = stack_instances(rows, lambda i: "same")
    assert len(stacking.stacks[0].instances) == 5
    assert not stacking.set_aside


def pixels(instance) -> str:
    """A digest that a copy under another identifier shares."""
    return f"{instance.SeriesDescription} {instance.ImagePositionPatient} {instance.AcquisitionTime}"


def again(rows, uid: str = "9.8.7", **changes) -> list:
    """The same images sent again under new identifiers."""
    return [
        replace(r, path="/again" + r.path, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{n}", **changes)
        for n, r in enumerate(rows)
    ]


def test_a_series_sent_again_under_new_identifiers_is_set_aside_whole() -> None:
    rows = series(5, 4, AcquisitionTime="101010")
    stacking = stack_instances(rows + again(rows), pixels)
    assert [[i.path for i in s.instances] for s in stacking.stacks] == [[f"/again{r.path}" for r in rows]]
    assert reasons(stacking) == [(r.path, "series-resent") for r in rows]


def test_of_two_sendings_the_complete_one_is_kept() -> None:
    rows = series(5, 4, AcquisitionTime="101010")
    stacking = stack_instances(rows + again(rows)[:3], pixels)
    assert [[i.path for i in s.instances] for s in stacking.stacks] == [[r.path for r in rows]]
    assert {reason for _, reason in reasons(stacking)} == {"series-resent"}


def test_sendings_that_lost_different_slices_are_both_kept() -> None:
    rows = series(5, 4, AcquisitionTime="101010")
    stacking = stack_instances(rows[1:] + again(rows)[:3], pixels)
    assert [len(s.instances) for s in stacking.stacks] == [3, 3] and not stacking.set_aside


@pytest.mark.parametrize(
    "change",
    [
        {"AcquisitionTime": "101011"},
        {"SeriesNumber": 6},
        {"StudyInstanceUID": "1.1.1"},
        {"EchoTime": 4.0},
        {"SeriesDescription": "other pixels"},
    ],
)
def test_what_differs_in_time_number_header_or_pixels_was_not_sent_again(change: dict) -> None:
    rows = series(5, 4, AcquisitionTime="101010")
    stacking = stack_instances(rows + again(rows, **change), pixels)
    assert len(stacking.stacks) == 2 and not stacking.set_aside


def test_pixels_of_series_are_compared_only_where_all_headers_agree() -> None:
    asked: list[str] = []
    rows = series(5, 4, AcquisitionTime="101010")
    other = [replace(r, EchoTime=2.0) if n == 0 else r for n, r in enumerate(again(rows))]
    stack_instances(rows + other, lambda i: asked.append(i.path) or "same")
    assert asked == []
