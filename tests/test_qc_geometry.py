"""Geometry checks: each fires on its fault, says where, and stays silent on sound stacks."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stackmaker import stacks_below, unchanging_stacks_below

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.qc.headers.geometry import check_stack
from trialbids.exporter.qc.verdict import verdict
from trialbids.exporter.stacks.stack import Stack


def stack_at(positions, n_volumes=1, **changes):
    """A stack of axial slices at these z positions (mm) or LPS points, the same in every volume."""
    points = [(0.0, 0.0, float(p)) if isinstance(p, int | float) else tuple(p) for p in positions]
    fields = {
        "ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "PixelSpacing": (1.0, 1.0),
        "Rows": 64, "Columns": 64, "SliceThickness": 4.0,
    } | changes  # fmt: skip
    instances = tuple(
        Instance(path=f"{v}-{k}", ImagePositionPatient=p, **fields)
        for v in range(n_volumes)
        for k, p in enumerate(points)
    )
    volume = tuple(v for v in range(n_volumes) for _ in points)
    return Stack(
        stack_id="s", acquisition_id="a", instances=instances, volume=volume, n_slices=len(points), n_volumes=n_volumes
    )


def codes(stack):
    return [finding.check for finding in check_stack(stack)]


def with_one(stack, **changes):
    return replace(stack, instances=(*stack.instances[:-1], replace(stack.instances[-1], **changes)))


def test_an_even_stack_is_sound():
    assert check_stack(stack_at([0, 4, 8, 12, 16])) == ()
    assert check_stack(stack_at([round(3.33 * k, 1) for k in range(30)])) == ()


@settings(max_examples=50)
@given(st.integers(6, 40), st.floats(0.5, 10), st.data())
def test_every_lost_inner_slice_is_found_with_its_place(n, step, data):
    lost = data.draw(st.integers(1, n - 2))
    found = [f for f in check_stack(stack_at([k * step for k in range(n) if k != lost])) if f.check == "G04"]
    assert len(found) == 1 and found[0].severity == "error"
    assert dict(found[0].evidence.values)["missing"] == 1
    assert dict(found[0].evidence.values)["after"] == lost
    assert found[0].message.startswith(f"1 slice missing between slices {lost} and {lost + 1} of {n - 1} ")


def test_two_gaps_are_two_findings_and_a_wide_one_counts_its_slices():
    found = check_stack(stack_at([0, 4, 8, 20, 24, 28, 36, 40, 44]))
    assert [f.message.split(" (")[0] for f in found] == [
        "2 slices missing between slices 3 and 4 of 9",
        "1 slice missing between slices 6 and 7 of 9",
    ]
    assert len({f.evidence.key for f in found}) == 2


def test_the_same_gap_in_all_volumes_is_said_once():
    assert codes(stack_at([0, 4, 8, 16, 20], n_volumes=5)) == ["G04"]


@pytest.mark.parametrize(
    ("stack", "code", "severity"),
    [
        (stack_at([0, 4, 8.5, 12, 16]), "G05", "warning"),
        (stack_at([0, 4, 8], SpacingBetweenSlices=5.0), "G06", "warning"),
        (stack_at([0, 10, 20], SliceThickness=4.0), "G06", "warning"),
        (stack_at([(0, 0.5 * k, 4 * k) for k in range(4)]), "G08", "warning"),
        (stack_at([0, 4, 8], PixelSpacing=()), "G01", "error"),
        (stack_at([0, 4, 8], ImageOrientationPatient=(1, 0, 0, 1, 0, 0)), "G01", "error"),
        (stack_at([0, 4, 8], ImageOrientationPatient=(1, 0, 0, 0, 1.01, 0)), "G02", "error"),
        (stack_at([0, 4, 8], ImageOrientationPatient=(1, 0.0005, 0, 0, 1, 0)), "G02", "warning"),
        (with_one(stack_at([0, 4, 8]), Rows=32), "G07", "error"),
        (with_one(stack_at([0, 4, 8]), PixelSpacing=(1.1, 1.1)), "G07", "error"),
        (replace(stack_at([0, 4, 8]), split=(("orientation", "ax"),)), "G03", "info"),
        (stack_at([0]), "G09", "warning"),
        (stack_at([0, 4, 4, 8]), "D05", "error"),
    ],
)
def test_each_check_fires_on_its_fault(stack, code, severity):
    assert (code, severity) in [(f.check, f.severity) for f in check_stack(stack)]


def test_interpolated_slices_and_gaps_between_slice_edges_are_no_fault():
    assert codes(stack_at([0, 2, 4, 6], SliceThickness=4.0)) == []
    assert codes(stack_at([0, 5, 10, 15], SliceThickness=4.0, SpacingBetweenSlices=1.0)) == []
    assert codes(stack_at([0, 5, 10, 15], SliceThickness=4.0, SpacingBetweenSlices=-5.0)) == []


def test_a_mosaic_is_not_taken_for_one_slice():
    mosaic = stack_at([0], n_volumes=3, mosaic_tiles=30, Rows=384, Columns=384)
    assert codes(replace(mosaic, n_slices=30)) == []


def test_missing_geometry_is_one_clear_finding_not_a_crash():
    found = check_stack(stack_at([0, 4, 8, 12], ImageOrientationPatient=()))
    assert [(f.check, f.message) for f in found] == [("G01", "ImageOrientationPatient is missing in 4 of 4 images")]


def test_a_position_that_is_no_number_is_missing():
    found = check_stack(with_one(stack_at([0, 4, 8, 12]), ImagePositionPatient=(0.0, 0.0, float("nan"))))
    assert [(f.check, len(f.evidence.instances)) for f in found] == [("G01", 1)]


def test_secondary_captures_need_no_place_but_slices_do():
    bare = {"ImageOrientationPatient": (), "PixelSpacing": (), "Modality": "MR"}
    placeless = stack_at([0], SOPClassUID="1.2.840.10008.5.1.4.1.1.7", **bare)
    shot = replace(placeless, instances=tuple(replace(i, ImagePositionPatient=()) for i in placeless.instances))
    assert codes(shot) == []
    assert "G01" in codes(stack_at([0, 4, 8, 12], SOPClassUID="1.2.840.10008.5.1.4.1.1.4", **bare))


def numbered(stack, numbers):
    rows = zip(stack.instances, numbers, strict=True)
    return replace(stack, instances=tuple(replace(i, InstanceNumber=n) for i, n in rows))


@pytest.mark.parametrize(
    ("positions", "numbers", "missing"),
    [
        ([0, 8], [1, 3], [1]),
        ([0, 8, 16, 24, 32], [1, 3, 5, 7, 9], [1, 1, 1, 1]),
        ([0, 4, 12], [3, 2, 0], [1]),
        ([0, 4, 12, 20], [1, 2, 4, 6], [1, 1]),
        ([0, 4, 16, 24, 32, 36], [9, 9, 9, 9, 9, 9], [2, 1, 1]),
        ([0, 4, 8, 20], [1, 2, 3, 6], [2]),
    ],
)
def test_slices_lost_of_short_stacks_and_many_of_long_ones_are_counted(positions, numbers, missing):
    found = check_stack(numbered(stack_at(positions, SpacingBetweenSlices=4.0), numbers))
    assert [dict(f.evidence.values)["missing"] for f in found if f.check == "G04"] == missing


def test_planned_distances_are_no_lost_slices():
    scout = stack_at([-60, 0, 30], SliceThickness=8.0, Modality="MR")
    assert "G04" not in codes(numbered(scout, [1, 2, 3]))
    assert "G04" not in codes(numbered(stack_at([0, 8, 16, 24], SpacingBetweenSlices=4.0), [1, 2, 3, 4]))


@settings(max_examples=50)
@given(st.integers(5, 30), st.floats(1.5, 8), st.floats(0, 1.2), st.floats(0, 1.2))
def test_positions_rounded_to_a_tenth_are_sound_in_any_plane(n, step, pitch, roll):
    row = np.array([math.cos(pitch), 0.0, -math.sin(pitch)])
    column = np.array([0.0, math.cos(roll), 0.0]) + math.sin(roll) * np.array([math.sin(pitch), 0, math.cos(pitch)])
    normal = np.cross(row, column)
    points = [tuple(np.round(k * step * normal, 1)) for k in range(n)]
    turned = tuple(float(round(x, 7)) for x in (*row, *column))
    assert codes(stack_at(points, ImageOrientationPatient=turned, SliceThickness=step)) == []


@pytest.mark.parametrize(("shift", "code"), [((0, 0, 0.5), "G05"), ((0.3, 0, 0), "G08")])
def test_a_volume_that_lies_elsewhere_than_the_first_is_found(shift, code):
    stack = stack_at([0, 4, 8, 12], n_volumes=3)
    moved = [
        replace(i, ImagePositionPatient=tuple(a + b for a, b in zip(i.ImagePositionPatient, shift, strict=True)))
        if v == 2 else i
        for i, v in zip(stack.instances, stack.volume, strict=True)
    ]  # fmt: skip
    assert codes(replace(stack, instances=tuple(moved))) == [code]


@pytest.mark.parametrize(
    ("header", "odd"),
    [
        ({"SliceThickness": 4.0}, False),
        ({"SliceThickness": 3.0}, False),
        ({"SliceThickness": 8.0}, False),
        ({"SliceThickness": 5.0}, True),
        ({"SliceThickness": 2.0}, True),
        ({"SliceThickness": 2.0, "SpacingBetweenSlices": 4.0}, True),
        ({"SliceThickness": 5.0, "ImageType": ("DERIVED", "SECONDARY", "MPR")}, False),
        ({"SliceThickness": 3.0, "MRAcquisitionType": "3D"}, True),
        ({"SliceThickness": 8.0, "MRAcquisitionType": "3D"}, False),
        ({"SliceThickness": 16.0, "MRAcquisitionType": "3D"}, False),
        ({"SliceThickness": 8.0, "MRAcquisitionType": "2D"}, True),
        ({"SliceThickness": 16.0}, True),
        ({"SliceThickness": 5.0, "Modality": "CT"}, False),
        ({"SliceThickness": 4.0, "SpacingBetweenSlices": 4.3}, True),
    ],
)
def test_thickness_is_held_against_the_distance_of_the_slices(header, odd):
    stack = stack_at([0, 4, 8, 12], **{"Modality": "MR", "ImageType": ("ORIGINAL", "PRIMARY")} | header)
    assert ("G06" in codes(stack)) is odd


@pytest.mark.parametrize(("side", "x", "wrong"), [("L", 40.0, False), ("R", 40.0, True), ("L", -90.0, True)])
def test_laterality_against_the_position_is_told(side, x, wrong):
    stack = stack_at([(x, 0, 4 * k) for k in range(4)], ImageLaterality=side, Rows=8, Columns=8)
    assert [(f.check, f.severity) for f in check_stack(stack)] == [("G11", "info")] * wrong


def test_a_trial_may_want_its_own_tolerance():
    stack = stack_at([0, 4, 8.5, 12, 16])
    assert [f.check for f in check_stack(stack, tolerances={"G05": 0.2})] == []
    (finding,) = check_stack(stack)
    assert (finding.subject, finding.stacks) == ("s", ("s",))


@pytest.fixture(scope="module")
def expected(real_data):
    with (real_data / "expected_series.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_error_on_any_sound_real_series(real_data, expected):
    sound = {real_data / "dicom" / row["path_prefix"] for row in expected if row["sound"] == "yes"}
    checked = 0
    for stack in unchanging_stacks_below(real_data / "dicom"):
        path = Path(stack.first.path)
        if path in sound or path.parent in sound or not sound.isdisjoint(path.parents):
            assert verdict(check_stack(stack)) != "fail", (path, check_stack(stack))
            checked += 1
    assert checked >= 45


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("picai_prep/ProstateX-missing-slice", [("G04", 13)]),
        ("dicom2nifti/failing/sliceincrement", [("G04", 3)]),
        ("dicom2nifti/failing/gantrytilting", [("G08", None)]),
        ("dicom2nifti/failing/notavolume", [("G09", None)]),
    ],
)
def test_known_faults_of_real_series_are_found(real_data, folder, found):
    findings = [f for stack in stacks_below(real_data / "dicom" / folder) for f in check_stack(stack)]
    assert [(f.check, dict(f.evidence.values).get("after")) for f in findings] == found
