"""b-values of one diffusion scan that lie in several series are one stack, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from seriesmaker import SAGITTAL, records_of, repeat, series, stacks_of
from stackmaker import axial, stacks_below, write_series

from trialbids.exporter.convert import convert
from trialbids.exporter.inventory.objects import materialise
from trialbids.exporter.stacks import stack_instances

EPI = {"ScanningSequence": ("EP",), "RepetitionTime": 5000.0, "EchoTime": 60.0, "MRAcquisitionType": "2D"}
TRACE, ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"), ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def trace(number: int, b: float | None, **more) -> list:
    return series(number, 3, **{"ImageType": TRACE, "b_value": b, "AcquisitionTime": f"10{number:02d}00"} | EPI | more)


def shapes(*rows) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    """The series numbers and b-values of every stack."""
    return [(tuple(dict.fromkeys(i.SeriesNumber for i in s.instances)), s.bvalues) for s in stacks_of(*rows).stacks]


def test_three_series_of_one_b_value_are_one_stack_in_ascending_b() -> None:
    rows = [trace(5, 500.0), trace(6, 1400.0), trace(7, 100.0)]
    (stack,) = stacks_of(*rows).stacks
    assert (stack.n_slices, stack.n_volumes, stack.bvalues) == (3, 3, (100.0, 500.0, 1400.0))
    assert stack.series_uids == tuple(rows[k][0].SeriesInstanceUID for k in (2, 0, 1))
    assert [i.b_value for i in stack.instances] == [100.0] * 3 + [500.0] * 3 + [1400.0] * 3
    assert [i.ImagePositionPatient[2] for i in stack.instances] == [0.0, 5.0, 10.0] * 3


def test_the_record_of_a_joined_stack_holds_all_b_values() -> None:
    (done,) = records_of(trace(5, 50.0), trace(6, 800.0))
    assert (done.record.sequence, done.record.bvalues) == ("trace", (50.0, 800.0))


def test_b_zero_of_its_own_goes_with_the_weighted_images() -> None:
    b0 = series(4, 3, b_value=0.0, **EPI)
    assert shapes(b0, trace(5, 500.0), trace(6, 1000.0)) == [((4, 5, 6), (0.0, 500.0, 1000.0))]


def test_directions_stored_as_series_are_one_stack_in_the_order_of_the_series() -> None:
    rows = [trace(5, 0.0, ImageType=("ORIGINAL", "PRIMARY", "DIFFUSION"))]
    rows += [
        trace(n, 800.0, b_direction=d, ImageType=("ORIGINAL", "PRIMARY", "DIFFUSION")) for n, d in ((6, X), (7, Y))
    ]
    (stack,) = stacks_of(*rows).stacks
    assert (stack.bvalues, stack.directions) == ((0.0, 800.0, 800.0), ((), X, Y))


@pytest.mark.parametrize(("name", "said"), [("*ep_b800t", ""), ("", "dwi b=800")])
def test_a_b_value_that_no_tag_holds_is_read_from_the_name_or_the_words(name: str, said: str) -> None:
    first = trace(5, 50.0)
    assert shapes(first, trace(6, None, SequenceName=name, SeriesDescription=said)) == [((5, 6), (50.0, 800.0))]


@pytest.mark.parametrize(
    "other",
    [
        {"b_value": 500.0},
        {"EchoTime": 80.0},
        {"RepetitionTime": 7000.0},
        {"ImageType": ADC},
        {"ImageType": ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE")},
        {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "CALC_BVALUE")},
        {"ImageType": (*TRACE, "MOCO")},
        {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "P")},
        {"b_direction": X},
        {"PixelSpacing": (2.0, 2.0)},
        {"FrameOfReferenceUID": "1.2"},
        {"orientation": SAGITTAL},
        {"StudyInstanceUID": "9.9"},
        {"InPlanePhaseEncodingDirection": "ROW"},
        {"InversionTime": 180.0},
        {"ScanOptions": ("FS",)},
        {"b_value": None},
    ],
)
def test_what_is_not_another_weighting_of_the_same_slices_stays_apart(other: dict) -> None:
    stacks = stacks_of(
        trace(5, 500.0), trace(6, other.get("b_value", 1000.0), **{k: v for k, v in other.items() if k != "b_value"})
    ).stacks
    assert [s.n_volumes for s in stacks] == [1, 1]


def test_a_series_with_a_lost_or_shifted_slice_stays_apart() -> None:
    shifted = [replace(i, ImagePositionPatient=(0.0, 2.0, i.ImagePositionPatient[2])) for i in trace(7, 1400.0)]
    assert shapes(trace(5, 100.0), trace(6, 500.0)[:-1], shifted) == [
        ((5,), (100.0,)),
        ((6,), (500.0,)),
        ((7,), (1400.0,)),
    ]


def test_a_broken_series_does_not_spoil_the_others() -> None:
    rows = [*trace(5, 100.0), *trace(6, 500.0), *trace(7, 900.0)]
    stacks = stack_instances(rows, lambda i: i.path, {rows[-1].SeriesInstanceUID}).stacks
    assert [(s.bvalues, s.doubt) for s in stacks] == [((100.0, 500.0), ""), ((900.0,), "series-incomplete")]


def test_a_repeated_scan_is_another_stack_with_its_own_b_values() -> None:
    rows = [trace(5, 100.0), trace(6, 800.0), trace(7, 100.0), trace(8, 800.0)]
    assert shapes(*rows) == [((5, 6), (100.0, 800.0)), ((7, 8), (100.0, 800.0))]


def test_b_zero_in_two_series_is_met_twice_so_they_stay_apart() -> None:
    two = [repeat(trace(n, None), 2, b_value=[0.0, b]) for n, b in ((5, 400.0), (6, 800.0))]
    assert [b for _, b in shapes(*two)] == [(0.0, 400.0), (0.0, 800.0)]
    assert len({s.acquisition_id for s in stacks_of(*two).stacks}) == 1


def test_computed_b_values_join_among_themselves_alone() -> None:
    calc = {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "CALC_BVALUE")}
    rows = [trace(5, 50.0), trace(6, 800.0), trace(7, 1500.0, **calc), trace(8, 2000.0, **calc)]
    assert shapes(*rows) == [((5, 6), (50.0, 800.0)), ((7, 8), (1500.0, 2000.0))]


def test_the_identifier_stays_when_slices_or_b_values_are_added() -> None:
    alone = stacks_of(trace(5, 100.0)).stacks[0]
    few = stacks_of(trace(5, 100.0)[:2], trace(6, 500.0)[:2]).stacks[0]
    both = stacks_of(trace(5, 100.0), trace(6, 500.0)).stacks[0]
    assert {s.stack_id for s in (alone, few, both)} == {alone.stack_id}
    assert {s.acquisition_id for s in (alone, few, both)} == {alone.acquisition_id}


@pytest.mark.parametrize("slopes", [(1.0, 1.0), (1.0, 2.5)])
def test_the_image_of_several_series_holds_every_pixel_where_the_dicom_says(tmp_path: Path, slopes) -> None:
    uids = {"StudyInstanceUID": "1.2.3", "FrameOfReferenceUID": "1.2.4"}
    paths = []
    for n, b in enumerate((1000.0, 50.0)):
        changes = {"SeriesNumber": n + 5, "DiffusionBValue": b, "ImageType": list(TRACE), "ScanningSequence": "EP"}
        pixels = [np.random.default_rng(10 * n + k).integers(0, 4000, 192, dtype=np.uint16).tobytes() for k in range(5)]
        scale = {"RescaleSlope": slopes[n], "RescaleIntercept": 0}
        paths.append(write_series(tmp_path / str(n), axial(5), PixelData=pixels, **uids, **changes, **scale))
    (stack,) = stacks_below(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    volume = convert(stack, materialise, scratch)
    assert volume.converter.startswith("dcm2niix") and volume.voxels.shape == (16, 12, 5, 2)
    assert list(volume.bval) == [50.0, 1000.0]
    for v, of_series in enumerate((1, 0)):
        for k in range(5):
            dicom = dcmread(paths[of_series][k]).pixel_array[::-1].T * slopes[of_series]
            assert volume.voxels[:, :, k, v] * volume.slope + volume.inter == pytest.approx(dicom)
