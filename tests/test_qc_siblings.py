"""What other images, counts and numbers say of slices that are lost, of torn volumes and of frames of reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from seriesmaker import SAGITTAL, records_of, repeat, series, uid

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.qc.check import Finding, run_checks
from trialbids.exporter.qc.headers.counts import COUNTS
from trialbids.exporter.qc.headers.geometry import check_stack
from trialbids.exporter.qc.headers.siblings import SIBLINGS
from trialbids.exporter.qc.headers.torn import TORN
from trialbids.exporter.qc.views import Series, Session

VISIT = Visit("s1", "v1", "a", "P1", "1", "", None)
SPIN: dict[str, Any] = {"ScanningSequence": ("SE",), "RepetitionTime": 4000.0, "EchoTime": 100.0, "SliceThickness": 5.0}
DIFFUSION = SPIN | {"EchoTime": 70.0, "ImageType": ("ORIGINAL", "PRIMARY", "DIFFUSION"), "SequenceName": "ep_b"}
VIBE = {"ScanningSequence": ("GR",), "RepetitionTime": 4.0, "EchoTime": 1.5, "MRAcquisitionType": "3D"}


def found(*parts: Sequence[Instance]) -> list[Finding]:
    """The findings on each series, and on the session of all."""
    harmonised = records_of(*parts)
    findings: list[Finding] = []
    rows = [i for part in parts for i in part]
    for name in dict.fromkeys(i.SeriesInstanceUID for i in rows):
        own = tuple(h for h in harmonised if any(i.SeriesInstanceUID == name for i in h.stack.instances))
        view = Series(name, tuple(i for i in rows if i.SeriesInstanceUID == name), own)
        findings.extend(run_checks((*TORN, *COUNTS), view, name, tuple(h.stack.stack_id for h in own)))
    session = Session(VISIT, tuple(harmonised))
    return findings + list(run_checks(SIBLINGS, session, "s1 v1"))


def codes(findings: Iterable[Finding]) -> list[str]:
    return [f.check for f in findings]


def with_some(rows: Sequence[Instance], which: Iterable[int], **changes: Any) -> list[Instance]:
    chosen = set(which)
    return [replace(row, **changes) if k in chosen else row for k, row in enumerate(rows)]


@pytest.mark.parametrize("which", [[4], [0], [2, 5, 6], range(5)])
@pytest.mark.parametrize("changes", [{"Rows": 4}, {"Columns": 10}, {"PixelSpacing": (1.01, 1.01)}])
def test_slices_of_another_shape_in_one_volume_are_found_although_stacking_parts_them(which, changes):
    (finding,) = [f for f in found(with_some(series(3, 10, **SPIN), which, **changes)) if f.check == "G07"]
    assert finding.severity == "error" and len(finding.stacks) == 2
    assert finding.message == "2 different grids in one volume of 10 images"


def test_two_whole_volumes_of_different_shape_in_one_series_are_no_fault():
    small = series(3, 10, **SPIN)
    large = series(3, 10, piece=1, **SPIN | {"Rows": 16, "Columns": 16, "PixelSpacing": (0.5, 0.5)})
    large = [replace(i, InstanceNumber=11 + k) for k, i in enumerate(large)]
    assert codes(found(small + large)) == []


def test_planes_of_a_scout_may_have_shapes_of_their_own():
    axial = series(1, 3, **SPIN)
    sagittal = series(1, 3, piece=1, orientation=SAGITTAL, **SPIN | {"Rows": 16})
    assert codes(found(axial + [replace(i, InstanceNumber=4 + k) for k, i in enumerate(sagittal)])) == []


def test_a_b_value_of_another_shape_is_found_in_its_series():
    rows = repeat(series(4, 6, **DIFFUSION), 2, b_value=[0.0, 800.0], Rows=[8, 16])
    assert "G07" in codes(found(rows))


def test_half_of_a_diffusion_image_of_another_shape_is_found():
    rows = repeat(series(4, 6, **DIFFUSION), 3, b_value=[0.0, 400.0, 800.0])
    assert "G07" in codes(found(with_some(rows, range(9), Rows=16)))


def test_slices_of_another_thickness_in_one_volume_are_a_warning():
    (finding,) = [f for f in found(with_some(series(3, 10, **SPIN), [4], SliceThickness=8.0)) if f.check == "G06"]
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (series(3, 10, **SPIN)[1:], "InstanceNumber begins at 2"),
        (series(3, 10, **SPIN | {"slices_said": 10})[:-1], "the scanner counts 10 slices, 9 are there"),
        (series(3, 10, **SPIN | {"ImagesInAcquisition": 10})[:-1], "ImagesInAcquisition says 10, 9 are there"),
        (
            [i for i in repeat(series(3, 10, **DIFFUSION), 3, b_value=[0.0, 400.0, 800.0]) if i.InstanceNumber % 10],
            "InstanceNumber leaves out 2 between 1 and 29",
        ),
    ],
)
def test_a_lost_end_is_told_by_numbers_and_counts(rows, words):
    messages = [f.message for f in found(rows) if f.check == "G12"]
    assert messages == [f"a first or last slice is probably lost: {words}"]


@pytest.mark.parametrize(
    "rows",
    [
        series(3, 10, **SPIN | {"slices_said": 10, "ImagesInAcquisition": 10}),
        series(3, 10, **SPIN | {"ImagesInAcquisition": 40}),
        repeat(series(3, 10, **DIFFUSION | {"ImagesInAcquisition": 10}), 3, b_value=[0.0, 400.0, 800.0]),
        [i for i in series(3, 10, **SPIN | {"slices_said": 10}) if i.InstanceNumber != 5],
        [replace(i, InstanceNumber=100 + (i.InstanceNumber or 0)) for i in series(3, 10, **SPIN)],
        [
            replace(i, InstanceNumber=20 + (i.InstanceNumber or 0), ImagesInAcquisition=60)
            for i in series(3, 10, **SPIN)
        ],
        [replace(i, InstanceNumber=0) for i in series(3, 10, **SPIN)],
    ],
    ids=[
        "all agree",
        "four products",
        "each volume",
        "a gap within",
        "numbers from 101",
        "numbers that go on",
        "no numbers",
    ],
)
def test_counts_that_can_be_explained_tell_of_no_lost_end(rows):
    assert "G12" not in codes(found(rows))


def test_a_map_that_lacks_an_end_of_its_diffusion_images_is_found():
    weighted = repeat(series(4, 10, **DIFFUSION), 2, b_value=[0.0, 800.0])
    adc = series(5, 10, **DIFFUSION | {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")})
    assert codes(found(weighted, adc)) == []
    (finding,) = found(weighted, adc[:-2])
    assert finding.check == "G12" and dict(finding.evidence.values) == {"lost": 2} and len(finding.stacks) == 1


def test_a_product_of_one_excitation_that_lacks_an_end_is_found_whatever_its_echo_time():
    clock = VIBE | {"AcquisitionTime": "101500", "FlipAngle": 9.0}
    water, in_phase = series(3, 10, **clock), series(4, 10, **clock | {"EchoTime": 2.5})
    assert codes(found(water, in_phase)) == []
    (finding,) = found(water, in_phase[:-2])
    assert finding.check == "G12" and dict(finding.evidence.values) == {"lost": 2}
    assert codes(found(water, [replace(i, AcquisitionTime="104500") for i in in_phase[:-2]])) == []


def test_slices_of_one_b_value_that_are_there_twice_are_an_error_and_a_broken_repetition_is_none():
    bval = {"b_value": [0.0, 800.0]}
    rows = repeat(series(4, 10, **DIFFUSION), 2, **bval)

    def twice(which: range) -> list[str]:
        more = [replace(rows[10 + k], SOPInstanceUID=uid("more", k), path=f"/data/more{k}") for k in which]
        more = [replace(i, InstanceNumber=21 + n) for n, i in enumerate(more)]
        stacks = [h.stack for h in records_of([*rows, *more])]
        return [f.check for s in stacks for f in check_stack(s) if f.severity == "error"]

    assert twice(range(3, 5)) == ["D05"]
    assert twice(range(8)) == []


def test_a_b_value_in_a_series_of_its_own_that_lacks_slices_is_an_error():
    low, high = (series(n, 10, **DIFFUSION | {"b_value": b}) for n, b in ((4, 50.0), (5, 800.0)))
    assert codes(found(low, high)) == []
    assert "B03" in codes(found(low, [i for i in high if i.InstanceNumber not in (4, 5)]))


def test_a_frame_of_reference_of_its_own_is_found_among_images_on_one_grid():
    echoes = [series(n, 10, **VIBE | {"FlipAngle": a}) for n, a in ((4, 2.0), (5, 5.0), (6, 15.0))]
    assert "G10" not in codes(found(*echoes))
    moved = [replace(i, FrameOfReferenceUID=uid("other")) for i in echoes[1]]
    (finding,) = [f for f in found(echoes[0], moved, echoes[2]) if f.check == "G10"]
    assert finding.message == "2 frames of reference among 3 images on one grid" and len(finding.stacks) == 1
    assert "G10" in codes(found(with_some(echoes[0], [3], FrameOfReferenceUID=uid("other"))))


def test_images_planned_apart_may_have_frames_of_their_own():
    tall, short = series(4, 10, **SPIN), series(5, 7, **SPIN | {"FrameOfReferenceUID": uid("other")})
    assert "G10" not in codes(found(tall, short))


def test_no_message_or_key_holds_an_identifier():
    adc = series(5, 8, **DIFFUSION | {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")})
    findings = found(repeat(series(4, 10, **DIFFUSION), 2, b_value=[0.0, 800.0]), adc)
    assert findings
    stack_ids = {name for f in findings for name in f.stacks}
    assert not any(name in f.message + f.evidence.key for f in findings for name in stack_ids)
